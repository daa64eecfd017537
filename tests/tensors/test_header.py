from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from sdmerge.errors import CorruptFile, FileError, InputError, SdmergeError
from sdmerge.tensors import header as header_module
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.header import aligned_order, encode_header, is_safetensors, read_header
from sdmerge.tensors.safetensors_store import SafetensorsStore
from sdmerge.tensors.spec import TensorSpec

from .make import ALPHABET, EVERY_DTYPE, ODD_SHAPES, raw_file, save, spec_sets

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def entry(begin: int, end: int, **changes: object) -> dict[str, object]:
    """A correct F32 vector at these offsets, but for the changes."""
    shape = [(end - begin) // 4]
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end], **changes}


def test_reads_what_safetensors_writes(tmp_path: Path) -> None:
    specs = {**EVERY_DTYPE, **ODD_SHAPES}
    tensors = {
        name: torch.zeros(spec.nbytes, dtype=torch.uint8).view(TORCH[spec.dtype]).view(spec.shape)
        for name, spec in specs.items()
    }
    save_file(tensors, tmp_path / "x.safetensors", {"format": "pt", "title": "浮世絵"})
    header = read_header(tmp_path / "x.safetensors")
    assert {name: item.spec for name, item in header.entries.items()} == specs
    assert header.metadata == {"format": "pt", "title": "浮世絵"}
    assert min(item.begin for item in header.entries.values()) == header.data_start


@quick
@given(spec_sets(), st.dictionaries(st.text(ALPHABET), st.text(ALPHABET), max_size=3))
def test_what_is_encoded_reads_back(
    tmp_path: Path, specs: dict[str, TensorSpec], metadata: dict[str, str]
) -> None:
    raw, entries = encode_header(specs, metadata)
    assert len(raw) % 8 == 0
    path = tmp_path / "x.safetensors"
    path.write_bytes(raw + bytes(sum(spec.nbytes for spec in specs.values())))
    header = read_header(path)
    assert header.entries == entries
    assert list(header.entries) == list(specs)
    assert header.metadata == metadata
    assert header.data_start == len(raw)


def test_the_order_of_metadata_changes_no_byte() -> None:
    specs = {"a": TensorSpec("F16", (2,))}
    first, _ = encode_header(specs, {"x": "1", "é": "2"})
    second, _ = encode_header(specs, {"é": "2", "x": "1"})
    assert first == second
    assert "é".encode() in first


def test_aligned_order_puts_wide_dtypes_first() -> None:
    specs = {"a": TensorSpec("U8", (3,)), "b": TensorSpec("F32", (1,)), "c": TensorSpec("U8", ())}
    assert list(aligned_order(specs)) == ["b", "a", "c"]


def test_an_empty_file_of_no_tensors_is_legal(tmp_path: Path) -> None:
    header = read_header(raw_file(tmp_path / "x", {"__metadata__": None}))
    assert (dict(header.entries), header.metadata) == ({}, {})


def test_entries_may_be_in_any_order(tmp_path: Path) -> None:
    path = raw_file(tmp_path / "x", {"b": entry(4, 8), "a": entry(0, 4)}, bytes(8))
    assert list(read_header(path).entries) == ["b", "a"]


BROKEN: dict[str, tuple[object, int, str]] = {
    "not JSON": (b"{nonsense", 0, "not valid JSON"),
    "not UTF-8": (b'{"\xff":1}', 0, "not valid JSON"),
    "half a character": (b'{"\\ud800":{}}', 0, "not valid JSON"),
    "NaN": (b'{"a":NaN}', 0, "NaN"),
    "a list": (b"[]", 0, "does not begin with '{'"),
    "no header": (b"", 0, "does not begin with '{'"),
    "deep": (b'{"a":' + b"[" * 100_000, 0, "nested too deeply|not valid JSON"),
    "digits": (b'{"a":' + b"9" * 5000 + b"}", 0, "not valid JSON"),
    "duplicate": (b'{"a":{},"a":{}}', 0, "'a' appears twice"),
    "metadata list": ({"__metadata__": []}, 0, "metadata is not"),
    "metadata number": ({"__metadata__": {"epoch": 3}}, 0, "metadata 'epoch' is not a string"),
    "no object": ({"a": 3}, 0, "'a' is not described"),
    "dtype": ({"a": entry(0, 4, dtype="F31")}, 4, "unknown dtype 'F31'"),
    "dtype list": ({"a": entry(0, 4, dtype=["F32"])}, 4, "unknown dtype"),
    "no dtype": ({"a": {"shape": [1], "data_offsets": [0, 4]}}, 4, "unknown dtype None"),
    "shape float": ({"a": entry(0, 4, shape=[1.0])}, 4, "no valid shape"),
    "shape bool": ({"a": entry(0, 4, shape=[True])}, 4, "no valid shape"),
    "shape negative": ({"a": entry(0, 4, shape=[-1])}, 4, "no valid shape"),
    "shape huge": ({"a": entry(0, 4, shape=[1 << 40, 1 << 40])}, 4, "larger than any disk"),
    "shape many": ({"a": entry(0, 4, shape=[1 << 62] * 9999)}, 4, "larger than any disk"),
    "offsets three": ({"a": entry(0, 4, data_offsets=[0, 4, 8])}, 4, "no valid data_offsets"),
    "offsets negative": ({"a": entry(0, 4, data_offsets=[-4, 0])}, 4, "no valid data_offsets"),
    "reversed": ({"a": entry(0, 4, data_offsets=[4, 0])}, 4, "ends before it begins"),
    "size": ({"a": entry(0, 4, shape=[2])}, 4, r"has 4 bytes, but F32 \[2\] takes 8"),
    "overlap": ({"a": entry(0, 8), "b": entry(4, 12)}, 12, "'a' and 'b' overlap"),
    "same place": ({"a": entry(0, 4), "b": entry(0, 4)}, 4, "'a' and 'b' overlap"),
    "empty inside": ({"a": entry(0, 8), "b": entry(4, 4)}, 8, "'a' and 'b' overlap"),
    "gap": ({"a": entry(0, 4), "b": entry(8, 12)}, 12, "4 bytes before tensor 'b'"),
    "late start": ({"a": entry(4, 8)}, 8, "4 bytes before tensor 'a'"),
    "truncated": ({"a": entry(0, 8)}, 3, "truncated: 5 of .* bytes are missing"),
    "trailing": ({"a": entry(0, 4)}, 7, "3 bytes after the last tensor"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_header_says_which_way(tmp_path: Path, case: str) -> None:
    header, data, message = BROKEN[case]
    path = raw_file(tmp_path / "x.safetensors", header, bytes(data))
    with pytest.raises(CorruptFile, match=message) as caught:
        read_header(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "only 0 bytes long"),
        (b"1234567", "only 7 bytes long"),
        ((1 << 60).to_bytes(8, "little") + b"{}", "1152921504606846976 bytes long, but only 2"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04" + bytes(40), "Rename it to .ckpt"),
        (b"\x80\x02}q\x00" + bytes(40), "Rename it to .ckpt"),
        (b"GGUF" + bytes(40), "GGUF"),
    ],
)
def test_what_is_no_safetensors_at_all(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match=message):
        read_header(path)
    assert not is_safetensors(path)


def test_a_header_over_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes((100_000_001).to_bytes(8, "little"))
    os.truncate(path, 200_000_000)  # sparse
    with pytest.raises(CorruptFile, match="100000000 are allowed"):
        read_header(path)


def test_a_header_whose_length_looks_like_a_web_page(tmp_path: Path) -> None:
    raw = b"{}" + b" " * (ord("<") - 2)
    assert not read_header(raw_file(tmp_path / "x", raw)).entries


def test_packed_dtypes_are_not_called_broken(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="packed as F4") as caught:
        read_header(raw_file(tmp_path / "x", {"a": entry(0, 4, dtype="F4")}, bytes(4)))
    assert not isinstance(caught.value, CorruptFile)


@pytest.mark.parametrize(("name", "message"), [("none", "does not exist"), ("", "is a folder")])
def test_no_file(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read_header(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="not a regular file"):
        read_header(tmp_path / "pipe")


def test_encode_refuses_what_could_not_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: Any = {"epoch": 3}
    with pytest.raises(SdmergeError, match="'epoch' is int"):
        encode_header({}, wrong)
    with pytest.raises(SdmergeError, match="__metadata__"):
        encode_header({"__metadata__": TensorSpec("F16", ())}, {})
    with pytest.raises(InputError, match="not Unicode"):
        encode_header({}, {"path": "caf\udce9"})
    monkeypatch.setattr(header_module, "MAX_HEADER", 100)
    with pytest.raises(InputError, match="would be"):
        encode_header({}, {"recipe": "x" * 200})


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "x.safetensors"
    save(path, {**EVERY_DTYPE, **ODD_SHAPES}, {"format": "pt"})
    return path.read_bytes()


def opens_or_is_corrupt(path: Path) -> None:
    """Reads all of a file that may be broken; only a CorruptFile may come of it."""
    try:
        store = SafetensorsStore(path)
    except CorruptFile:
        return
    for name, spec in store.specs.items():
        assert store.read(name).numel() == spec.numel
    store.close()


@quick
@given(data=st.data())
def test_flipped_bytes(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    length = 8 + int.from_bytes(good[:8], "little")
    broken = bytearray(good)
    for at in data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=4)):
        broken[at] = data.draw(st.integers(0, 255))
    (tmp_path / "x").write_bytes(broken)
    opens_or_is_corrupt(tmp_path / "x")


@quick
@given(data=st.data())
def test_cut_and_extended_files(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(good) - 1))
    (tmp_path / "x").write_bytes(good[:cut])
    with pytest.raises(CorruptFile):
        read_header(tmp_path / "x")
    (tmp_path / "x").write_bytes(good + data.draw(st.binary(min_size=1, max_size=9)))
    with pytest.raises(CorruptFile):
        read_header(tmp_path / "x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ALPHABET, max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(ALPHABET), inner),
    max_leaves=6,
)


@quick
@given(field=st.sampled_from(["dtype", "shape", "data_offsets", None]), value=JSON)
def test_any_json_in_any_field(
    tmp_path: Path, good: bytes, field: str | None, value: object
) -> None:
    length = 8 + int.from_bytes(good[:8], "little")
    table = json.loads(good[8:length])
    if field is None:
        table["F16"] = value
    else:
        table["F16"][field] = value
    opens_or_is_corrupt(raw_file(tmp_path / "x", table, good[length:]))


@quick
@given(st.binary(max_size=64))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    opens_or_is_corrupt(tmp_path / "x")
    raw_file(tmp_path / "x", b"{" + content)
    opens_or_is_corrupt(tmp_path / "x")
