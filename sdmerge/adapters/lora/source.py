"""A LoRA bound to a base model: a delta source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.adapters.lora.module import LoraModule
from sdmerge.adapters.source import Space
from sdmerge.families.family import Family
from sdmerge.families.keymap import Piece
from sdmerge.lowrank import Factors, dense, stack
from sdmerge.tensors.safetensors_store import element_range
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore


@dataclass(frozen=True, slots=True)
class Change:
    """The part of a module's ΔW that falls on one canonical weight."""

    module: LoraModule
    piece: Piece

    def factors(self, store: TensorStore, rows: int) -> Factors:
        """The change of the whole weight, of so many rows; zero where it is not this module's."""
        whole = self.module.factors(store)
        up, down = whole.up, whole.down
        if self.piece.transpose:
            return Factors(down.T, up.T, whole.scale)
        width = down.shape[1]
        first, count = self.piece.source_start // width, self.piece.count // width
        up = up[first : first + count]
        if count < rows:
            above = self.piece.target_start // width
            up = torch.nn.functional.pad(up, (0, 0, above, rows - above - count))
        return Factors(up, down, whole.scale)


@dataclass(frozen=True, slots=True)
class LoraSource:
    """ΔW = alpha / rank · up @ down of every canonical weight that the LoRA changes."""

    store: TensorStore
    files: tuple[Path, ...]
    family: Family
    layout: str
    specs: Mapping[str, TensorSpec]
    changes: Mapping[str, tuple[Change, ...]]

    @property
    def path(self) -> Path:
        """The LoRA file."""
        return self.store.path

    @property
    def space(self) -> Space:
        """A LoRA is a change of weights."""
        return "delta"

    @property
    def metadata(self) -> Mapping[str, str]:
        """The header's metadata, with what the trainer wrote (`ss_…`)."""
        return self.store.metadata

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """The elements [start, stop) of ΔW, flat, float32; a slice of the whole to the last bit."""
        start, stop = element_range(self.specs, key, start, stop, str(self.path))
        return dense(self.factors(key), start, stop)

    def factors(self, key: str) -> Factors:
        """ΔW in its low-rank form, float32: a convolution's as the matrix [o, i·k·k]."""
        rows = self.specs[key].shape[0]
        return stack([change.factors(self.store, rows) for change in self.changes[key]])
