"""A .safetensors file as a store: positional reads into buffers, no mapping.

A mapped file grows the process by every page it touches; reads into buffers do not.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.tensors.dtypes import TORCH, as_bytes
from sdmerge.tensors.filling import Filler
from sdmerge.tensors.header import header_of
from sdmerge.tensors.positional import PositionalFile
from sdmerge.tensors.spec import ITEMSIZE, TensorSpec, element_range


class SafetensorsStore:
    """The tensors of one .safetensors file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: tuple[Path, ...] = (path,)
        self._file = PositionalFile.open(path)
        try:
            header = header_of(self._file)
        except BaseException:
            self._file.close()
            raise
        self._entries = header.entries
        self.specs: Mapping[str, TensorSpec] = {
            name: entry.spec for name, entry in header.entries.items()
        }
        self.metadata: Mapping[str, str] = header.metadata

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """A fresh flat tensor of the elements [start, stop), in the stored dtype."""
        start, stop = element_range(self.specs, name, start, stop, str(self.path))
        flat = torch.empty(stop - start, dtype=TORCH[self.specs[name].dtype])
        self._fill(name, flat, start)
        return flat

    def filler(self, name: str) -> Filler:
        """What fills buffers with elements of `name`."""
        element_range(self.specs, name, 0, None, str(self.path))
        return Filler(functools.partial(self._fill, name), TORCH[self.specs[name].dtype])

    def _fill(self, name: str, out: Tensor, start: int) -> None:
        entry = self._entries[name]
        element_range(self.specs, name, start, start + out.numel(), str(self.path))
        self._file.read_into(as_bytes(out), entry.begin + start * ITEMSIZE[entry.spec.dtype])

    def close(self) -> None:
        """Close the file, once reads under way are done."""
        self._file.close()
