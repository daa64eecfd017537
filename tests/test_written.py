"""Small files: whole, or as they were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdmerge.written import write, written


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "x.json"
    for text in ("one", "another, longer"):
        write(path, text.encode())
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(path, b"old")

    def stopped() -> None:
        with written(path) as partial:
            partial.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_disk_has_it_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "x", list[tuple[int, bool]]()

    def sync(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    write(path, b"here")
    assert seen == []
    path.unlink()
    write(path, b"there", sync=True)
    assert seen == [(5, False)]
