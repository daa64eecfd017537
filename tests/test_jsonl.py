"""Lines of JSON: they only grow, and half a line does no harm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdmerge import jsonl
from sdmerge.errors import CorruptFile


def entries(path: Path) -> list[dict[str, object]]:
    return [entry for _, entry in jsonl.read(path)]


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    assert entries(path) == []
    jsonl.append(path, {"a": 1})
    jsonl.append(path, {"a": "\n 赤 \u2028"}, {"a": None})
    assert entries(path) == [{"a": 1}, {"a": "\n 赤 \u2028"}, {"a": None}]
    assert path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("half", [b"{", b'{"a": 2}', b'{"a":"\xe8\xb5'])
def test_half_a_last_line_is_no_line(tmp_path: Path, half: bytes) -> None:
    path = tmp_path / "x.jsonl"
    jsonl.append(path, {"a": 1})
    with path.open("ab") as file:
        file.write(half)
    assert entries(path) == [{"a": 1}]
    jsonl.append(path, {"a": 3})
    assert entries(path) == [{"a": 1}, {"a": 3}]


def test_a_file_of_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"{")
    assert entries(path) == []
    jsonl.append(path, {"a": 1})
    assert entries(path) == [{"a": 1}]


@pytest.mark.parametrize("line", [b"{", b"[1]", b"3", b"\xff", b"[" * 100_000])
def test_a_broken_line_within_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(CorruptFile) as caught:
        entries(path)
    assert caught.value.where == f"{path}:2"


def test_not_a_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        jsonl.append(tmp_path / "x.jsonl", {"a": float("nan")})
    assert entries(tmp_path / "x.jsonl") == []


def test_writers_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    code = """
import sys
from pathlib import Path
from sdmerge import jsonl
for n in range(40):
    jsonl.append(Path(sys.argv[1]), {"who": sys.argv[2], "n": n})
"""
    root = Path(__file__).resolve().parents[1]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), who],
            cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        )
        for who in "ab"
    ]  # fmt: skip
    assert [run.wait() for run in runs] == [0, 0]
    found = entries(path)
    assert len(found) == 80
    for who in "ab":
        assert [entry["n"] for entry in found if entry["who"] == who] == list(range(40))
