from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sdmerge.errors import FileError
from sdmerge.tensors import content
from sdmerge.tensors.content import sha256_of

from .make import names_in


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"some bytes")
    os.utime(path, (10**9, 10**9))
    return path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_unchanged_file_is_hashed_once(
    old_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache" / "content.json"
    assert sha256_of(old_file, None) == sha256(b"some bytes")
    assert not cache.exists()
    assert sha256_of(old_file, cache) == sha256(b"some bytes")
    monkeypatch.delattr(content.hashlib, "file_digest")
    assert sha256_of(old_file, cache) == sha256(b"some bytes")
    assert names_in(cache.parent) == ["content.json"]


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_a_changed_file_is_hashed_again(old_file: Path, tmp_path: Path, change: str) -> None:
    cache = tmp_path / "content.json"
    sha256_of(old_file, cache)
    new = b"more bytes, really" if change == "size" else b"other byte"
    if change == "inode":
        old_file.rename(tmp_path / "away")
    old_file.write_bytes(new)
    seconds = 10**9 + (change == "time")
    os.utime(old_file, (seconds, seconds))
    assert sha256_of(old_file, cache) == sha256(new)


def test_a_file_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    assert sha256_of(tmp_path / "x", tmp_path / "content.json") == sha256(b"1")
    assert not (tmp_path / "content.json").exists()


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[]", b'{"%s": 3}', b'{"%s": [1, 2, 3, 4]}', b"\xff"]
)
def test_a_broken_cache_is_an_empty_one(old_file: Path, tmp_path: Path, broken: bytes) -> None:
    cache = tmp_path / "content.json"
    cache.write_bytes(broken.replace(b"%s", str(old_file).encode()))
    assert sha256_of(old_file, cache) == sha256(b"some bytes")
    assert list(json.loads(cache.read_bytes())) == [str(old_file)]


def test_a_cache_that_cannot_be_written(old_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert sha256_of(old_file, tmp_path / "file" / "content.json") == sha256(b"some bytes")
    (tmp_path / "folder").mkdir()
    assert sha256_of(old_file, tmp_path / "folder") == sha256(b"some bytes")
    assert names_in(tmp_path) == ["file", "folder", "x.safetensors"]


def test_threads_lose_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.bin" for i in range(20)]
    for path in paths:
        path.write_bytes(path.name.encode())
        os.utime(path, (10**9, 10**9))
    cache = tmp_path / "content.json"
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda path: sha256_of(path, cache), paths))
    assert hashes == [sha256(path.name.encode()) for path in paths]
    assert len(json.loads(cache.read_bytes())) == 20


@pytest.mark.parametrize("name", ["none", "."])
def test_what_cannot_be_hashed(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        sha256_of(tmp_path / name, None)
