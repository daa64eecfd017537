"""Sums: what the tensors of several models say of their agreement, added up in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Measures:
    """How the models agree in some of their tensors. None where there is nothing to measure.

    conflict: Share of entries with both signs, among those where two deltas or more are not zero.
    weighted: The same share, each entry counting by the magnitudes Σ|τᵢ| in it.
    cancelled: Share of all magnitudes that is lost when the deltas are added: 1 - Σ|Στᵢ| / ΣΣ|τᵢ|.
    cosines: Of each pair of models, in the order of `itertools.combinations`.
    norms: Of each model's delta; of its weights, where there is no base.
    relative: The norms as shares of the base's.
    """

    tensors: int
    elements: int
    conflict: float | None
    weighted: float | None
    cancelled: float | None
    cosines: tuple[float | None, ...]
    norms: tuple[float, ...]
    relative: tuple[float | None, ...]


_BLOCK = 1 << 16
"""Elements looked at together: what is made of them stays in the cache."""


@dataclass(slots=True)
class Sums:
    """Counts and magnitudes over tensors; `gram` has the inner products of all models."""

    gram: np.ndarray
    tensors: int = 0
    elements: int = 0
    shared: int = 0
    opposed: int = 0
    shared_mass: float = 0.0
    opposed_mass: float = 0.0
    mass: float = 0.0
    mass_of_sum: float = 0.0
    base: float = 0.0

    @classmethod
    def of(cls, models: int) -> Sums:
        """Nothing yet, of this many models."""
        return cls(np.zeros((models, models)))

    def look(self, stack: Tensor, base: Tensor | None, places: Sequence[int]) -> None:
        """Add a slab [n, elements] of the models at `places`; of weights if there is no base."""
        for start in range(0, stack.shape[1], _BLOCK):
            stop = start + _BLOCK
            part = None if base is None else base[start:stop]
            self._look(stack[:, start:stop], part, places)

    def _look(self, stack: Tensor, base: Tensor | None, places: Sequence[int]) -> None:
        wide = stack.double()
        self.gram[np.ix_(places, places)] += (wide @ wide.T).numpy()
        self.elements += stack.shape[1]
        if base is None:
            return
        up, down = stack.clamp(min=0).sum(dim=0), -stack.clamp(max=0).sum(dim=0)
        masses, opposed = up + down, (up > 0) & (down > 0)
        shared = (stack != 0).sum(dim=0, dtype=torch.int16) > 1
        self.shared += int(torch.count_nonzero(shared))
        self.opposed += int(torch.count_nonzero(opposed))
        self.shared_mass += _total(masses * shared)
        self.opposed_mass += _total(masses * opposed)
        self.mass += _total(masses)
        self.mass_of_sum += _total((up - down).abs())
        length = base.double()
        self.base += float(length @ length)

    def add(self, other: Sums) -> None:
        """Add the sums over other tensors."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def measures(self) -> Measures:
        """The sums as shares, angles and lengths."""
        norms = tuple(math.sqrt(float(square)) for square in np.diag(self.gram))
        length = math.sqrt(self.base)
        return Measures(
            tensors=self.tensors,
            elements=self.elements,
            conflict=_share(self.opposed, self.shared),
            weighted=_share(self.opposed_mass, self.shared_mass),
            cancelled=_share(self.mass - self.mass_of_sum, self.mass),
            cosines=tuple(
                _share(float(self.gram[i, j]), norms[i] * norms[j])
                for i, j in itertools.combinations(range(len(norms)), 2)
            ),
            norms=norms,
            relative=tuple(_share(norm, length) for norm in norms),
        )


def _total(values: Tensor) -> float:
    return float(values.sum(dtype=torch.float64))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
