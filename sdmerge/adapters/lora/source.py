"""A LoRA bound to a base model: a change of its weights, or an operator on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.adapters.lora.kinds import Delta, Edit, LowRank
from sdmerge.adapters.lora.targets import Target
from sdmerge.adapters.source import Space
from sdmerge.errors import SdmergeError
from sdmerge.families.family import Family
from sdmerge.families.keymap import Piece
from sdmerge.lowrank import Factors, dense, stack
from sdmerge.tensors.safetensors_store import element_range
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore


@dataclass(frozen=True, slots=True)
class Change:
    """The part of a module's edit that falls on one canonical tensor."""

    module: str
    edit: Edit
    target: Target
    piece: Piece

    def factors(self, store: TensorStore, rows: int) -> Factors | None:
        """The change of the whole tensor, of so many rows; zero where it is not this module's."""
        if not isinstance(self.edit, Delta):
            return None
        whole = self.edit.factors(store)
        if whole is None:
            return None
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

    def add_to(self, out: Tensor, store: TensorStore) -> None:
        """Add ΔW to the flat tensor."""
        assert isinstance(self.edit, Delta), "an operator is applied"
        delta = self.edit.delta(store, self.target.shape)
        if self.piece.transpose:
            delta = delta.view(self.piece.transpose).t()
        start, count = self.piece.source_start, self.piece.count
        self._own(out).add_(delta.reshape(-1)[start : start + count])

    def apply_to(self, out: Tensor, store: TensorStore) -> None:
        """Change the flat tensor in place."""
        whole = torch.zeros(self.target.numel)
        start, count = self.piece.source_start, self.piece.count
        own = self._own(out)
        if self.piece.transpose:
            rows, columns = self.piece.transpose
            own = own.view(columns, rows).t().reshape(-1)
        # what lies on other tensors does not matter to an edit that goes row by row
        whole[start : start + count] = own
        changed = self.edit.apply(store, whole.view(self.target.shape))
        if self.piece.transpose:
            changed = changed.reshape(self.piece.transpose).t()
        self._own(out).copy_(changed.reshape(-1)[start : start + count])

    def _own(self, flat: Tensor) -> Tensor:
        start = self.piece.target_start
        return flat[start : start + self.piece.count]


@dataclass(frozen=True, slots=True)
class LoraSource:
    """What a LoRA file does to every canonical tensor that it changes.

    A delta source adds ΔW. One with modules that act on the weight (DoRA, OFT, GLoRA, (IA)³, …) is
    an operator source. `left_out` are modules for which the base has no place, and keys of none.
    """

    store: TensorStore
    files: tuple[Path, ...]
    family: Family
    layout: str
    specs: Mapping[str, TensorSpec]
    changes: Mapping[str, tuple[Change, ...]]
    space: Space
    left_out: tuple[str, ...] = ()
    nbytes: Mapping[str, int] = field(default_factory=dict[str, int])
    """The bytes of the file that each tensor's change takes: its share of its modules'."""

    @property
    def path(self) -> Path:
        """The LoRA file."""
        return self.store.path

    @property
    def metadata(self) -> Mapping[str, str]:
        """The header's metadata, with what the trainer wrote (`ss_…`)."""
        return self.store.metadata

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """The elements [start, stop) of ΔW, flat, float32; a slice of the whole to the last bit."""
        start, stop = element_range(self.specs, key, start, stop, str(self.path))
        changes = self.changes[key]
        if any(not isinstance(change.edit, Delta) for change in changes):
            raise SdmergeError(f"'{key}' has no change of its own: it acts on a weight")
        if all(isinstance(change.edit, LowRank) for change in changes):
            factors = self.factors(key)
            assert factors is not None, "a LoRA is of low rank"
            return dense(factors, start, stop)
        whole = torch.zeros(self.specs[key].numel)
        for change in changes:
            change.add_to(whole, self.store)
        return whole[start:stop]

    def factors(self, key: str) -> Factors | None:
        """ΔW in its low-rank form, float32: a convolution's as the matrix [o, i·k·k].

        None where it has none, or one that holds more numbers than ΔW itself.
        """
        rows = self.specs[key].shape[0]
        parts: list[Factors] = []
        for change in self.changes[key]:
            factors = change.factors(self.store, rows)
            if factors is None:
                return None
            parts.append(factors)
        return stack(parts)

    def apply(self, key: str, weight: Tensor) -> Tensor:
        """The weight as this LoRA changes it; both are float32 and of one shape."""
        flat = weight.reshape(-1).clone()
        for change in self.changes[key]:
            if isinstance(change.edit, Delta):
                change.add_to(flat, self.store)
            else:
                change.apply_to(flat, self.store)
        return flat.view(weight.shape)
