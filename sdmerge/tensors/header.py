"""The safetensors header: 8 bytes of length, then JSON naming every tensor's place.

https://github.com/huggingface/safetensors#format. Everything here is checked before a byte of data
is read, so that a broken download is named as such and never merged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sdmerge.errors import CorruptFile, FileError, InputError, SdmergeError
from sdmerge.tensors.positional import PositionalFile
from sdmerge.tensors.spec import ITEMSIZE, TensorSpec
from sdmerge.tensors.strict_json import load_object

MAX_HEADER = 100_000_000  # the limit of the safetensors library: longer files open nowhere else
_LARGEST = 1 << 62
_PACKED = ("F4", "F6_E2M3", "F6_E3M2")
_METADATA = "__metadata__"
_AGAIN = "Download it again, or ask whoever made it."

# What people have under a .safetensors name: first bytes → (what it is, what to do).
_IMPOSTORS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the model", "Run `git lfs pull`."),
    (b"<", "is a web page, not a model", "The download failed, perhaps for want of a login."),
    (b"PK\x03\x04", "is a zip, probably a .ckpt under another name", "Rename it to .ckpt."),
    (b"\x80\x02", "is a pickle, probably a .ckpt under another name", "Rename it to .ckpt."),
    (b"GGUF", "is a GGUF file under another name", "Rename it to .gguf."),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor's spec and its bytes [begin, end), counted from the file's start."""

    spec: TensorSpec
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """Everything a safetensors file says before its data."""

    entries: Mapping[str, Entry]
    metadata: Mapping[str, str]
    data_start: int


def read_header(path: Path) -> Header:
    """The header of the file at `path`; a malformed file is a CorruptFile that says which way."""
    with PositionalFile.open(path) as file:
        return header_of(file)


def header_of(file: PositionalFile) -> Header:
    """The header of an open file, checked as `read_header` does."""
    where = str(file.path)
    size = file.size
    raw = _header_bytes(file, size, where)
    table = load_object(raw, what="the header", where=where)
    metadata = _metadata(table.pop(_METADATA, None), where)
    data_start = 8 + len(raw)
    entries = {name: _entry(name, item, data_start, where) for name, item in table.items()}
    _check_layout(entries, data_start, size, where)
    return Header(entries, metadata, data_start)


def is_safetensors(path: Path) -> bool:
    """Whether the file begins like a safetensors file, whatever its name."""
    with PositionalFile.open(path) as file:
        if file.size < 10:
            return False
        start = bytearray(9)
        file.read_into(memoryview(start), 0)
    return bytes(start[8:]) == b"{" and int.from_bytes(start[:8], "little") <= MAX_HEADER


def encode_header(
    specs: Mapping[str, TensorSpec], metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, Entry]]:
    """The header's bytes, length included, and every tensor's place, in the mapping's order.

    The same specs in the same order and the same metadata in any order give the same bytes.
    """
    table: dict[str, object] = {}
    if metadata:
        table[_METADATA] = {key: _text(key, metadata[key]) for key in sorted(metadata)}
    position = 0
    for name, spec in specs.items():
        if name == _METADATA:
            raise SdmergeError(f"a tensor cannot be named '{_METADATA}'")
        offsets = [position, position + spec.nbytes]
        table[name] = {"dtype": spec.dtype, "shape": list(spec.shape), "data_offsets": offsets}
        position += spec.nbytes
    raw = _encoded(table)
    start = 8 + len(raw)
    return len(raw).to_bytes(8, "little") + raw, _places(specs, start)


def aligned_order(specs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """The same specs with wide dtypes first, so that every tensor begins at a multiple of its item.

    Readers that map a file without copying need it; the safetensors library writes in this order.
    """
    return dict(sorted(specs.items(), key=lambda item: -ITEMSIZE[item[1].dtype]))


def _header_bytes(file: PositionalFile, size: int, where: str) -> bytes:
    first = bytearray(min(size, 32))
    file.read_into(memoryview(first), 0)
    start = bytes(first)
    for magic, what, hint in _IMPOSTORS:
        # A real header begins with its length, and '{' as the ninth byte.
        if start.startswith(magic) and start[8:9] != b"{":
            raise CorruptFile(what, where=where, hint=hint)
    if size < 8:
        raise CorruptFile(f"is only {size} bytes long, shorter than any header", where=where)
    length = int.from_bytes(start[:8], "little")
    if length > size - 8:
        what = f"says its header is {length} bytes long, but only {size - 8} bytes follow"
        raise CorruptFile(what, where=where, hint=_AGAIN)
    if length > MAX_HEADER:
        what = f"says its header is {length} bytes long; {MAX_HEADER} are allowed"
        raise CorruptFile(what, where=where)
    raw = bytearray(length)
    file.read_into(memoryview(raw), 8)
    if not raw.startswith(b"{"):
        raise CorruptFile("the header does not begin with '{'", where=where, hint=_AGAIN)
    return bytes(raw)


def _metadata(value: object, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CorruptFile("the metadata is not a JSON object", where=where)
    metadata: dict[str, str] = {}
    for key, text in cast("dict[str, object]", value).items():
        if not isinstance(text, str):
            raise CorruptFile(f"metadata '{key}' is not a string", where=where)
        metadata[key] = text
    return metadata


def _entry(name: str, item: object, data_start: int, where: str) -> Entry:
    if not isinstance(item, dict):
        raise CorruptFile(f"tensor '{name}' is not described by an object", where=where)
    fields = cast("dict[str, object]", item)
    spec = TensorSpec(
        _dtype(name, fields.get("dtype"), where), _shape(name, fields.get("shape"), where)
    )
    offsets = _sizes(fields.get("data_offsets"))
    if offsets is None or len(offsets) != 2:
        raise CorruptFile(f"tensor '{name}' has no valid data_offsets", where=where)
    begin, end = offsets
    if begin > end:
        raise CorruptFile(f"tensor '{name}' ends before it begins", where=where)
    if end - begin != spec.nbytes:
        shape = list(spec.shape)
        what = (
            f"tensor '{name}' has {end - begin} bytes, but {spec.dtype} {shape} takes {spec.nbytes}"
        )
        raise CorruptFile(what, where=where)
    return Entry(spec, data_start + begin, data_start + end)


def _dtype(name: str, value: object, where: str) -> str:
    if value in _PACKED:
        raise FileError(
            f"tensor '{name}' is packed as {value}, which is not supported", where=where
        )
    if not isinstance(value, str) or value not in ITEMSIZE:
        raise CorruptFile(f"tensor '{name}' has the unknown dtype {value!r:.40}", where=where)
    return value


def _shape(name: str, value: object, where: str) -> tuple[int, ...]:
    shape = _sizes(value)
    if shape is None:
        raise CorruptFile(f"tensor '{name}' has no valid shape", where=where)
    numel = 1
    for size in shape:  # not math.prod: a hostile shape's product could have millions of digits
        numel *= size
        if numel > _LARGEST:
            raise CorruptFile(f"tensor '{name}' is larger than any disk", where=where)
    return shape


def _sizes(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    sizes: list[int] = []
    for item in cast("list[object]", value):
        if type(item) is not int or not 0 <= item <= _LARGEST:  # True is an int too
            return None
        sizes.append(item)
    return tuple(sizes)


def _check_layout(entries: Mapping[str, Entry], data_start: int, size: int, where: str) -> None:
    """Tensors must tile the data without overlap, gap or remainder."""
    reached, last = data_start, ""
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin < reached:
            raise CorruptFile(f"tensors '{last}' and '{name}' overlap", where=where)
        if entry.begin > reached:
            gap = entry.begin - reached
            raise CorruptFile(f"{gap} bytes before tensor '{name}' belong to none", where=where)
        if entry.end > reached:
            reached, last = entry.end, name
    if reached > size:
        what = f"is truncated: {reached - size} of {reached} bytes are missing"
        raise CorruptFile(what, where=where, hint=_AGAIN)
    if reached < size:
        raise CorruptFile(
            f"{size - reached} bytes after the last tensor belong to none", where=where
        )


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise SdmergeError(f"metadata '{key}' is {type(value).__name__}, not a string")
    return value


def _encoded(table: Mapping[str, object]) -> bytes:
    try:
        raw = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as error:
        text = f"{error.object[max(0, error.start - 20) : error.start]}…"
        raise InputError(f"text that is not Unicode cannot be written, after {text!r}") from error
    if len(raw) > MAX_HEADER - 8:
        what = f"the header would be {len(raw)} bytes long; {MAX_HEADER} are allowed"
        raise InputError(what, hint="Leave out metadata.")
    return raw + b" " * (-len(raw) % 8)


def _places(specs: Mapping[str, TensorSpec], start: int) -> dict[str, Entry]:
    places: dict[str, Entry] = {}
    for name, spec in specs.items():
        places[name] = Entry(spec, start, start + spec.nbytes)
        start += spec.nbytes
    return places
