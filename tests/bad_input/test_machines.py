"""Machines that are too small, and ctrl-C in the middle of a merge: no file is left."""

from __future__ import annotations

import contextlib
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import listing, words

from bad_input.little import linear, refused
from sdmerge.cli.output import Output


@pytest.mark.parametrize("out", ["x.safetensors", "folder"])
def test_disk_too_small(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 1, 99))
    said = linear(*three[:2], out=tmp_path / out)
    refused(said, str(tmp_path / out), "needs", "99 bytes free", "Free some space", code=3)
    assert listing(tmp_path) == []


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system itself refuses to write more, in the middle of a merge."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("out", ["x.safetensors", "folder"])
def test_disk_that_takes_no_more(tmp_path: Path, out: str) -> None:
    models = words(1), words(2)
    with files_of_at_most(1 << 18):
        said = linear(*models, out=tmp_path / out)
    refused(said, str(tmp_path), "no file that large", "another disk", code=3)
    assert listing(tmp_path) == []


def test_folder_that_may_not_be_written(three: list[Path], tmp_path: Path) -> None:
    said = linear(*three[:2], out=Path("/proc/nobody/x.safetensors"))
    assert said.code in (2, 3)
    assert "/proc/nobody" in said.err
    assert "bug of ours" not in said.err


@pytest.mark.parametrize("out", ["x.safetensors", "folder"])
@pytest.mark.parametrize("force", [False, True])
def test_control_c(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, force: bool
) -> None:
    """The signal comes while tensors are being written."""
    if force:
        assert linear(three[0], out=tmp_path / out).code == 0
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def advance(done: int, total: int, *_: object) -> None:
        if 0 < done < total:
            assert any(".partial" in name for name in listing(tmp_path))
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Output, "_lines", lambda *_: advance)
    extra = ("--force",) if force else ()
    # a worker of a parallel test run ignores the signal
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        refused(linear(*three[1:], out=tmp_path / out, extra=extra), "stopped", code=130)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def files(folder: Path) -> list[str]:
    return [name for name in listing(folder) if (folder / name).is_file()]
