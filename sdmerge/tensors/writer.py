"""A .safetensors file, written in any order by any thread, and whole or not there at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor

from sdmerge.errors import SdmergeError
from sdmerge.tensors.coverage import Coverage
from sdmerge.tensors.data_hash import DataHash
from sdmerge.tensors.dtypes import as_bytes, code_of
from sdmerge.tensors.header import encode_header
from sdmerge.tensors.partial import create_partial, discard, publish, remove_stale
from sdmerge.tensors.positional import PositionalFile
from sdmerge.tensors.space import free_space_for
from sdmerge.tensors.spec import ITEMSIZE, TensorSpec

__all__ = ["SafetensorsWriter", "free_space_for"]

_EMPTY_SLOT = "0x" + "0" * 64


class SafetensorsWriter:
    """Writes into a partial file; `commit` gives it its name, anything else removes it.

    `hash_slot` names the metadata value that shall hold "0x" and the sha256 of all bytes after the
    header. As a context manager it commits at the end, and removes the partial on any exception.
    """

    def __init__(
        self,
        path: Path,
        specs: Mapping[str, TensorSpec],
        metadata: Mapping[str, str],
        hash_slot: str | None = None,
    ) -> None:
        self.path = path
        self.specs = dict(specs)
        self._metadata = dict(metadata)
        self._slot = hash_slot
        if hash_slot is not None:
            self._metadata[hash_slot] = _EMPTY_SLOT
        header, self._places = encode_header(self.specs, self._metadata)
        self._begin = len(header)
        self._end = self._begin + sum(spec.nbytes for spec in self.specs.values())
        self._written = Coverage()
        self._failure: SdmergeError | None = None
        self._committed = False
        self._tensor_hash: str | None = None
        self._file = self._start(header)
        self._hash = DataHash(self._file, self._begin) if hash_slot is not None else None

    def write(self, name: str, flat: Tensor, start: int = 0) -> None:
        """Put `flat`, in the stored dtype, at the elements of `name` from `start` on."""
        spec = self.specs.get(name)
        if spec is None:
            raise SdmergeError(f"tensor '{name}' was not announced", where=str(self.path))
        if code_of(flat.dtype) != spec.dtype:
            what = f"tensor '{name}' is {spec.dtype} in the header, {flat.dtype} was given"
            raise SdmergeError(what, where=str(self.path))
        if not 0 <= start <= start + flat.numel() <= spec.numel:
            what = f"{flat.numel()} elements from {start} on do not fit into '{name}' {spec.shape}"
            raise SdmergeError(what, where=str(self.path))
        data = as_bytes(flat.detach().cpu().reshape(-1).contiguous())
        self._put(name, data, self._places[name].begin + start * ITEMSIZE[spec.dtype])

    def commit(self) -> None:
        """Give the file its name, complete and on the disk."""
        if self._committed:
            return
        try:
            self._check_complete()
            self._tensor_hash = self._filled()
            self._file.sync()
            if not self._file.is_at(self._file.path):
                raise SdmergeError("its partial file was removed or replaced", where=str(self.path))
            self._file.close()  # Windows renames no open file
            publish(self._file, self.path)
        except BaseException:
            self.abort()
            raise
        self._committed = True

    def abort(self) -> None:
        """Remove the partial file; after a commit there is none, and nothing happens."""
        discard(self._file)

    @property
    def tensor_hash(self) -> str:
        """sha256 of the bytes after the header, in hexadecimal digits, once committed."""
        if not self._committed:
            raise SdmergeError("has no hash before it is committed", where=str(self.path))
        if self._tensor_hash is None:  # without a slot it is not worth its time until asked for
            with PositionalFile.open(self.path) as file:
                self._tensor_hash = DataHash(file, self._begin).digest(self._end)
        return self._tensor_hash

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()

    def _start(self, header: bytes) -> PositionalFile:
        """The partial file with its header and its full length."""
        if self.path.parent.is_dir():
            remove_stale(self.path)  # first: what a dead run left counts as free
        free_space_for(self.path, self._end)
        file = create_partial(self.path)
        try:
            file.truncate(self._end)
            file.write(header, 0)
        except BaseException:
            discard(file)
            raise
        return file

    def _put(self, name: str, data: memoryview, offset: int) -> None:
        try:
            self._file.write(data, offset)
        except SdmergeError as error:
            # Other threads then find a closed file: what they report is what closed it.
            self._failure = self._failure or error
            self.abort()
            raise self._failure from error
        if not self._written.add(offset, offset + len(data)):
            raise SdmergeError(f"part of tensor '{name}' was written twice", where=str(self.path))
        if self._hash is not None:
            self._hash.follow(data, offset, self._written)

    def _check_complete(self) -> None:
        """A SdmergeError with the first few tensors that lack bytes; they would be zeros."""
        holes = [
            name
            for name, place in self._places.items()
            if not self._written.covers(place.begin, place.end)
        ]
        if holes:
            shown = ", ".join(holes[:3]) + (", …" if len(holes) > 3 else "")
            what = f"{len(holes)} of {len(self.specs)} tensors were not fully written: {shown}"
            raise SdmergeError(what, where=str(self.path))

    def _filled(self) -> str | None:
        """The data's hash, put into its slot, if there is one."""
        if self._hash is None or self._slot is None:
            return None
        digest = self._hash.digest(self._end)
        filled = {**self._metadata, self._slot: f"0x{digest}"}
        self._file.write(encode_header(self.specs, filled)[0], 0)
        return digest
