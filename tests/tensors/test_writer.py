from __future__ import annotations

import errno
import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from sdmerge.errors import FileError, ResourceError, SdmergeError
from sdmerge.tensors import space
from sdmerge.tensors.header import read_header
from sdmerge.tensors.positional import PositionalFile
from sdmerge.tensors.safetensors_store import SafetensorsStore
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.writer import SafetensorsWriter, free_space_for

from .make import EVERY_DTYPE, ODD_SHAPES, names_in, random_tensors, same_bits, save, spec_sets

SPECS = {**EVERY_DTYPE, **ODD_SHAPES}
SLOT = "modelspec.hash_sha256"


def data_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()[read_header(path).data_start :]).hexdigest()


def test_safetensors_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensors = save(path, SPECS, {"format": "pt", "title": "浮世絵"})
    read = load_file(path)
    assert read.keys() == tensors.keys()
    for name, tensor in read.items():
        assert tuple(tensor.shape) == SPECS[name].shape
        assert same_bits(tensor, tensors[name]), name
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt", "title": "浮世絵"}
    assert names_in(tmp_path) == ["x.safetensors"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(specs=spec_sets(), data=st.data())
def test_any_tensors_in_any_pieces_and_order(
    tmp_path: Path, specs: dict[str, TensorSpec], data: st.DataObject
) -> None:
    path, tensors = tmp_path / "x.safetensors", random_tensors(specs)
    pieces: list[tuple[str, int, Tensor]] = []
    for name, flat in tensors.items():
        cut = data.draw(st.integers(0, flat.numel()))
        pieces += [(name, 0, flat[:cut]), (name, cut, flat[cut:])]
    with SafetensorsWriter(path, specs, {}, SLOT) as writer:
        for name, start, flat in data.draw(st.permutations(pieces)):
            writer.write(name, flat, start)
    store = SafetensorsStore(path)
    assert store.specs == specs
    assert all(same_bits(store.read(name), flat) for name, flat in tensors.items())
    assert store.metadata[SLOT] == f"0x{data_hash(path)}" == f"0x{writer.tensor_hash}"
    store.close()


def test_threads_and_order_change_no_byte(tmp_path: Path) -> None:
    specs = {f"w{i}": TensorSpec("F16", (64, 100 + i)) for i in range(20)}
    tensors = random_tensors(specs)
    slabs = [
        (name, start, flat[start : start + 999])
        for name, flat in tensors.items()
        for start in range(0, flat.numel(), 999)
    ]
    paths = [tmp_path / f"{i}.safetensors" for i in range(3)]
    for seed, path in enumerate(paths):
        if seed:
            random.Random(seed).shuffle(slabs)
        with (
            SafetensorsWriter(path, specs, {"a": "1"}, SLOT) as writer,
            ThreadPoolExecutor(1 + 3 * seed) as pool,
        ):
            names, starts, flats = zip(*slabs, strict=True)
            list(pool.map(writer.write, names, flats, starts))
    assert len({path.read_bytes() for path in paths}) == 1
    assert read_header(paths[0]).metadata[SLOT] == f"0x{data_hash(paths[0])}"


def test_writes_in_order_are_not_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(PositionalFile, "read_into")
    with SafetensorsWriter(tmp_path / "x.safetensors", SPECS, {}, SLOT) as writer:
        for name, flat in random_tensors(SPECS).items():
            writer.write(name, flat)
    monkeypatch.undo()
    assert writer.tensor_hash == data_hash(tmp_path / "x.safetensors")


def test_the_hash_is_there_without_a_slot_and_not_before(tmp_path: Path) -> None:
    specs = {"a": TensorSpec("F32", (3,))}
    writer = SafetensorsWriter(tmp_path / "x.safetensors", specs, {"format": "pt"})
    writer.write("a", torch.arange(3.0))
    with pytest.raises(SdmergeError, match="before it is committed"):
        _ = writer.tensor_hash
    writer.commit()
    writer.commit()
    writer.abort()
    assert writer.tensor_hash == data_hash(tmp_path / "x.safetensors")
    assert read_header(tmp_path / "x.safetensors").metadata == {"format": "pt"}


def test_the_hash_does_not_depend_on_metadata(tmp_path: Path) -> None:
    hashes: set[str] = set()
    for title in ("a", "b"):
        writer = SafetensorsWriter(tmp_path / title, {}, {"title": title}, SLOT)
        writer.commit()
        hashes.add(writer.tensor_hash)
    assert hashes == {hashlib.sha256(b"").hexdigest()}


def test_strided_tensors_are_written_in_c_order(tmp_path: Path) -> None:
    matrix = torch.arange(6.0).reshape(2, 3)
    with SafetensorsWriter(tmp_path / "x", {"a": TensorSpec("F32", (3, 2))}, {}) as writer:
        writer.write("a", matrix.t())
    assert SafetensorsStore(tmp_path / "x").read("a").tolist() == [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("name", "flat", "start", "message"),
    [
        ("b", torch.zeros(4), 0, "'b' was not announced"),
        ("a", torch.zeros(4).half(), 0, "'a' is F32 in the header"),
        ("a", torch.zeros(5), 0, "do not fit"),
        ("a", torch.zeros(2), 3, "do not fit"),
        ("a", torch.zeros(2), -1, "do not fit"),
        ("a", torch.zeros(2), 1, "written twice"),
    ],
)
def test_our_own_mistakes(
    tmp_path: Path, name: str, flat: Tensor, start: int, message: str
) -> None:
    def mistaken() -> None:
        with SafetensorsWriter(tmp_path / "x", {"a": TensorSpec("F32", (4,))}, {}) as writer:
            writer.write("a", torch.zeros(1), 2)
            writer.write(name, flat, start)

    with pytest.raises(SdmergeError, match=message):
        mistaken()
    assert not names_in(tmp_path)


def test_missing_bytes_are_found(tmp_path: Path) -> None:
    specs = {name: TensorSpec("F32", (4,)) for name in "abcde"}
    writer = SafetensorsWriter(tmp_path / "x", specs, {})
    writer.write("a", torch.zeros(4))
    writer.write("b", torch.zeros(3))
    with pytest.raises(SdmergeError, match="4 of 5 tensors were not fully written: b, c, d, …"):
        writer.commit()
    assert not names_in(tmp_path)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_exception_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with SafetensorsWriter(path, SPECS, {}) as writer:
            writer.write("F16", random_tensors(SPECS)["F16"])
            assert len(names_in(tmp_path)) == 2
            raise interruption

    with pytest.raises(interruption):
        interrupted()
    assert names_in(tmp_path) == ["x.safetensors"]
    assert path.read_bytes() == b"old"
    save(path, SPECS)
    assert len(load_file(path)) == len(SPECS)


def test_a_full_disk_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, flat = tmp_path / "x.safetensors", torch.zeros(4)
    writer = SafetensorsWriter(path, {"a": TensorSpec("F32", (4,))}, {})

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ResourceError, match=r"disk is full(.|\n)*Free some space") as caught:
        writer.write("a", flat)
    assert caught.value.where == str(path)
    assert not names_in(tmp_path)
    with pytest.raises(ResourceError, match="disk is full"):  # what other threads get to see
        writer.write("a", flat)


def test_a_full_disk_while_renaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", busy)
    with (
        pytest.raises(FileError, match=r"cannot be put in place(.|\n)*another program"),
        SafetensorsWriter(tmp_path / "x", {}, {}),
    ):
        pass
    assert not names_in(tmp_path)


def test_a_partial_that_was_taken_away(tmp_path: Path) -> None:
    writer = SafetensorsWriter(tmp_path / "x", {}, {})
    for item in tmp_path.iterdir():
        item.unlink()
        item.write_bytes(b"another run's")
    with pytest.raises(SdmergeError, match="removed or replaced"):
        writer.commit()
    assert not (tmp_path / "x").exists()


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


def two_gigabytes_free(_folder: Path) -> Usage:
    return Usage(10**12, 10**12 - 2 * 10**9, 2 * 10**9)


def test_space_is_checked_before_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space.shutil, "disk_usage", two_gigabytes_free)
    free_space_for(tmp_path / "none" / "yet" / "x", 2 * 10**9)
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(ResourceError, match=r"needs 4\.0 GB, 2\.0 GB free(.|\n)*stays until"):
        SafetensorsWriter(tmp_path / "x", {"a": TensorSpec("F32", (10**9,))}, {})
    assert names_in(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (6_940_000_000, "6.9 GB"), (10**15, "1000.0 TB")],
)
def test_sizes_for_people(nbytes: int, text: str) -> None:
    assert space.readable(nbytes) == text


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="folder does not exist"):
        SafetensorsWriter(tmp_path / "no" / "x", {}, {})
