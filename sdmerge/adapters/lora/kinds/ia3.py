"""(IA)³: rows or columns of W times learned numbers.

Liu et al. 2022 (https://arxiv.org/abs/2205.05638). LyCORIS saves what is added to 1, and
`on_input` says that it belongs to columns. PEFT saves the factors themselves: [o, 1] for rows,
[1, i] for columns; of a convolution both are [1, n, 1, 1] and the configuration's
`feedforward_modules` tells. Where PEFT scales rows it scales the bias as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Edit, Kind, Shape
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.errors import FileError
from sdmerge.tensors.store import TensorStore


@dataclass(frozen=True)
class Scaled(Edit):
    """W′ = W ∘ (start + the vector), along the rows (axis 0) or the columns (axis 1)."""

    key: str
    axis: int
    start: float
    size: int

    @property
    def shape(self) -> Shape:
        """The vector's length, where it belongs."""
        return (self.size, -1) if self.axis == 0 else (-1, self.size)

    def fits(self, shape: Shape) -> bool:
        """Whether there are as many rows, or columns."""
        dimensions = 1 if self.part == "bias" else 2
        return len(shape) >= dimensions and shape[self.axis] == self.size

    @property
    def rowwise(self) -> bool:
        """Columns are scaled in every row alike."""
        return self.axis == 1

    @property
    def required(self) -> bool:
        """A layer may be without a bias."""
        return self.part == "weight"

    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """Each row or column times its number."""
        sizes = [1] * weight.dim()
        sizes[self.axis] = self.size
        return weight * (read(store, self.key, *sizes) + self.start)


def _ia3(keys: Keys) -> Iterator[Edit]:
    if "ia3_l" in keys:
        yield from _peft(keys)
        return
    keys.require("weight", "on_input")
    axis = 1 if float(keys.store.read(keys["on_input"])) else 0
    yield Scaled("weight", None, keys["weight"], axis, 1.0, max(keys.shape("weight")))


def _peft(keys: Keys) -> Iterator[Edit]:
    shape = keys.shape("ia3_l")
    size = max(shape)
    if shape == (size, 1):
        axis = 0
    elif len(shape) == 2:
        axis = 1
    else:
        axis = 1 if _is_feedforward(keys) else 0
    yield Scaled("weight", None, keys["ia3_l"], axis, 0.0, size)
    if axis == 0:
        yield Scaled("bias", None, keys["ia3_l"], 0, 0.0, size)


def _is_feedforward(keys: Keys) -> bool:
    """Whether PEFT's configuration counts the module among those scaled by their input."""
    named = keys.scaling.setting(keys.parsed, "feedforward_modules")
    if named is None:
        what = f"'{keys.name}' scales a convolution, and nothing says whether its input or output"
        hint = "PEFT's adapter_config.json tells; put it beside the file."
        raise FileError(what, where=str(keys.store.path), hint=hint)
    if isinstance(named, str):
        return re.fullmatch(named, keys.parsed.path) is not None
    return keys.parsed.path.endswith(tuple(cast("Sequence[str]", named)))


IA3 = Kind(frozenset({"ia3_l", "on_input"}), _ia3)
