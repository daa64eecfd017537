"""Where a slab lies in its tensor: for methods that treat rows or columns apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Part = Literal["row", "column"]
"""A row is what lies at one index of the first dimension (an output), a column the rest's."""


@dataclass(frozen=True, slots=True)
class Place:
    """The elements [start, stop), in C order, of a tensor of `shape`."""

    start: int
    stop: int
    shape: tuple[int, ...]

    @property
    def columns(self) -> int:
        """Elements per row; a bias has rows of one element."""
        return max(1, math.prod(self.shape[1:]))

    def count(self, part: Part) -> int:
        """How many rows or columns the whole tensor has."""
        if part == "column":
            return self.columns
        return self.shape[0] if self.shape else 1

    def of(self, part: Part) -> Tensor:
        """Per element its row or column."""
        return self._index() // self.columns if part == "row" else self._index() % self.columns

    def along(self, dim: int) -> Tensor:
        """Per element its index in dimension `dim`; a scalar has one of one element."""
        return self._index() // math.prod(self.shape[dim + 1 :]) % (self.shape or (1,))[dim]

    def _index(self) -> Tensor:
        return torch.arange(self.start, self.stop)
