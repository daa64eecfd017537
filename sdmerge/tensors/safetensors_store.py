"""A .safetensors file as a store: positional reads into fresh buffers, no mapping.

A mapped file grows the process by every page it touches; reads into buffers do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.tensors.dtypes import TORCH, as_bytes
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
        entry = self._entries[name]
        flat = torch.empty(stop - start, dtype=TORCH[entry.spec.dtype])
        offset = entry.begin + start * ITEMSIZE[entry.spec.dtype]
        self._file.read_into(as_bytes(flat), offset)
        return flat

    def close(self) -> None:
        """Close the file, once reads under way are done."""
        self._file.close()
