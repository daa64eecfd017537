from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sdmerge.errors import CorruptFile, FileError, ResourceError, SdmergeError
from sdmerge.tensors import positional
from sdmerge.tensors.positional import PositionalFile

Broken = Callable[..., int]


@pytest.fixture(params=["positional", "seeking"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in turn: with the system's positional calls, and without as on Windows."""
    if request.param == "seeking":
        monkeypatch.delattr(os, "preadv", raising=False)
        monkeypatch.delattr(os, "pwrite", raising=False)


def failing(code: int) -> Broken:
    def fail(*_arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.usefixtures("either_way")
def test_many_threads_share_one_file(tmp_path: Path) -> None:
    blocks = {offset: bytes([offset % 251]) * 100 for offset in range(0, 20_000, 100)}
    with (
        PositionalFile.create(tmp_path / "x", tmp_path / "x") as file,
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(file.write, reversed(blocks.values()), reversed(blocks)))
        file.sync()

        def check(offset: int) -> bool:
            buffer = bytearray(100)
            file.read_into(memoryview(buffer), offset)
            return bytes(buffer) == blocks[offset]

        assert all(pool.map(check, blocks))
    assert (tmp_path / "x").read_bytes() == b"".join(blocks.values())
    with PositionalFile.open(tmp_path / "x") as file:
        buffer = bytearray(3)
        file.read_into(memoryview(buffer), 99)
        assert bytes(buffer) == bytes([0, 100, 100])


@pytest.mark.usefixtures("either_way")
def test_small_calls_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positional, "_LARGEST_CALL", 7)
    with PositionalFile.create(tmp_path / "x", tmp_path / "x") as file:
        file.write(bytes(range(100)), 5)
        buffer = bytearray(100)
        file.read_into(memoryview(buffer), 5)
        assert bytes(buffer) == bytes(range(100))
        assert file.size == 105


@pytest.mark.usefixtures("either_way")
def test_a_file_that_ends_early(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    with (
        PositionalFile.open(tmp_path / "x") as file,
        pytest.raises(CorruptFile, match="ends 6 bytes too early"),
    ):
        file.read_into(memoryview(bytearray(8)), 2)


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (errno.ENOSPC, ResourceError, "disk is full(.|\n)*Free some space"),
        (errno.EDQUOT, ResourceError, "disk is full"),
        (errno.EFBIG, ResourceError, "no file that large"),
        (errno.EIO, ResourceError, "disk failed"),
        (errno.EACCES, FileError, "cannot be written"),
    ],
)
def test_writes_that_fail(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[SdmergeError],
    message: str,
) -> None:
    with PositionalFile.create(tmp_path / "x.partial", tmp_path / "x") as file:
        monkeypatch.setattr(os, "pwrite", failing(code))
        with pytest.raises(kind, match=message) as caught:
            file.write(b"1", 0)
    assert caught.value.where == str(tmp_path / "x")


def test_reads_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    with PositionalFile.open(tmp_path / "x") as file:
        monkeypatch.setattr(os, "preadv", failing(errno.EIO))
        with pytest.raises(FileError, match="cannot be read"):
            file.read_into(memoryview(bytearray(4)), 0)


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    monkeypatch.setattr(os, "open", failing(errno.EACCES))
    with pytest.raises(FileError, match="cannot be opened: Permission denied"):
        PositionalFile.open(tmp_path / "x")


def test_create_takes_no_existing_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    with pytest.raises(FileExistsError):
        PositionalFile.create(tmp_path / "x", tmp_path / "x")
    with pytest.raises(FileError, match="cannot be written"):
        PositionalFile.create(tmp_path / "no" / "x", tmp_path / "x")


def test_closing_waits_for_calls_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PositionalFile.create(tmp_path / "x", tmp_path / "x")
    begun, go_on = threading.Event(), threading.Event()
    write = os.pwrite

    def slow(descriptor: int, data: memoryview, offset: int) -> int:
        begun.set()
        go_on.wait(10)
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", slow)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(file.write, b"late", 0)
        begun.wait(10)
        closing = pool.submit(file.close)
        assert not closing.done()
        go_on.set()
        writing.result(10)
        closing.result(10)
    assert (tmp_path / "x").read_bytes() == b"late"
    file.close()
    with pytest.raises(SdmergeError, match="after it was closed"):
        file.write(b"x", 0)


def test_a_file_knows_whether_it_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with PositionalFile.create(path, path) as file:
        assert file.is_at(path)
        path.unlink()
        assert not file.is_at(path)
        path.write_bytes(b"")
        assert not file.is_at(path)
