"""Whole tensors: a full difference, that of a norm, and a weight that takes the place of another.

`diff` and `w_norm` are added to the weight, `diff_b` and `b_norm` to the bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Delta, Edit, Kind, Part, Shape
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.tensors.store import TensorStore

_PARTS: dict[str, Part] = {"diff": "weight", "diff_b": "bias", "w_norm": "weight", "b_norm": "bias"}


@dataclass(frozen=True)
class Full(Delta):
    """ΔW = scale · the tensor itself."""

    key: str
    scale: float
    size: Shape

    @property
    def shape(self) -> Shape:
        """The tensor's own."""
        return self.size

    def delta(self, store: TensorStore, shape: Shape) -> Tensor:
        """The tensor, read now."""
        return read(store, self.key, *shape).mul(self.scale)


@dataclass(frozen=True)
class Replaced(Edit):
    """W′ is the tensor itself, whatever W was."""

    key: str
    size: Shape

    @property
    def shape(self) -> Shape:
        """The tensor's own."""
        return self.size

    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """The tensor, read now."""
        return read(store, self.key, *weight.shape)


def _full(keys: Keys) -> Iterator[Edit]:
    for name, part in _PARTS.items():
        if name in keys:
            yield Full(part, None, keys[name], 1.0, keys.shape(name))
    if "set_weight" in keys:
        yield Replaced("weight", None, keys["set_weight"], keys.shape("set_weight"))


FULL = Kind(frozenset({*_PARTS, "set_weight"}), _full)
