from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch import Tensor

from sdmerge.errors import CorruptFile, FileError
from sdmerge.tensors.shards import split_into_shards
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store

from .make import same_bits, save

SPECS = {f"w{i}": TensorSpec("F16", (10 + i,)) for i in range(9)}
INDEX = "model.safetensors.index.json"


def index(folder: Path, weight_map: object) -> Path:
    (folder / INDEX).write_text(
        json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map})
    )
    return folder / INDEX


def pair(folder: Path) -> None:
    """Two shards: a and tied in the first, b and tied in the second."""
    for name, shard in (("a", "1.safetensors"), ("b", "2.safetensors")):
        specs = {name: TensorSpec("F32", (3,)), "tied": TensorSpec("F32", (2,))}
        save(folder / shard, specs, {"format": "pt", name: "x"})


def test_what_was_split_reads_as_one(tmp_path: Path) -> None:
    sizes = {name: spec.nbytes for name, spec in SPECS.items()}
    shards = split_into_shards(sizes, "model", 80)
    assert len(shards.files) > 2
    assert shards.index is not None
    (tmp_path / shards.index_name).write_bytes(shards.index)
    tensors: dict[str, Tensor] = {}
    for name, keys in shards.files.items():
        tensors |= save(tmp_path / name, {key: SPECS[key] for key in keys})
    store = open_store(tmp_path / INDEX)
    assert list(store.specs.items()) == list(SPECS.items())
    assert store.files == (tmp_path / INDEX, *(tmp_path / name for name in shards.files))
    assert all(same_bits(store.read(name, 2, 9), tensors[name][2:9]) for name in SPECS)
    store.close()


def test_the_index_decides_where_two_shards_hold_one_name(tmp_path: Path) -> None:
    pair(tmp_path)
    store = open_store(index(tmp_path, {"a": "1.safetensors", "tied": "2.safetensors"}))
    assert list(store.specs) == ["a", "b", "tied"]
    assert store.metadata == {"format": "pt", "a": "x", "b": "x"}
    with pytest.raises(FileError, match="no tensor 'c'"):
        store.read("c")


@pytest.mark.parametrize(
    ("weight_map", "kind", "message"),
    [
        ({"a": "3.safetensors"}, FileError, "1 of the 1 files it names are missing: 3.safet"),
        ({"b": "1.safetensors"}, CorruptFile, "'b' is not in 1.safetensors"),
        (
            {"a": "1.safetensors", "b": "2.safetensors"},
            CorruptFile,
            "'tied' is in both 1.safetensors and 2.safetensors",
        ),
        ({"a": "../1.safetensors"}, CorruptFile, "no valid file"),
        ({"a": "C:1.safetensors"}, CorruptFile, "no valid file"),
        ({"a": ".."}, CorruptFile, "no valid file"),
        ({"a": INDEX}, CorruptFile, "no valid file"),
        ({"a": 3}, CorruptFile, "no valid file: 3"),
        ({}, CorruptFile, "no weight_map"),
        (["a"], CorruptFile, "no weight_map"),
    ],
)
def test_a_wrong_index(
    tmp_path: Path, weight_map: object, kind: type[FileError], message: str
) -> None:
    pair(tmp_path)
    with pytest.raises(kind, match=message):
        open_store(index(tmp_path, weight_map))


def test_an_index_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text("{")
    with pytest.raises(CorruptFile, match="the index is not valid JSON"):
        open_store(tmp_path / INDEX)


def test_a_broken_shard_is_named(tmp_path: Path) -> None:
    pair(tmp_path)
    (tmp_path / "2.safetensors").write_bytes(b"")
    with pytest.raises(CorruptFile, match=r"2\.safetensors: is only 0 bytes"):
        open_store(index(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"}))
