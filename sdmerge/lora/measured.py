"""What a LoRA changes of each weight, as factors where they are small and else number by number.

A change that depends on the weight it meets (DoRA, OFT, (IA)³, …) is that of a base's: W′ - W.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.adapters import MappedSource
from sdmerge.adapters.lora.kinds import Delta
from sdmerge.adapters.lora.source import LoraSource
from sdmerge.lowrank import Factors, decompose, inner, one_thread, singular_values
from sdmerge.spectrum import svd

Change = Factors | Tensor
"""The matrix [o, i·k·k] as factors, or a tensor in the weight's shape; a vector is a column."""


@dataclass(frozen=True, slots=True)
class Changes(Mapping[str, Change]):
    """The changes by canonical key, each read when it is asked for."""

    lora: LoraSource
    base: MappedSource | None

    def __iter__(self) -> Iterator[str]:
        return (key for key in self.lora.specs if self.base is not None or not self.acts(key))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, key: str) -> Change:
        shape = self.lora.specs[key].shape
        if not self.acts(key):
            factors = self.lora.factors(key)
            return self.lora.read(key).view(shape) if factors is None else factors
        if self.base is None:
            raise KeyError(key)
        weight = self.base.read(key).float().view(shape)
        return self.lora.apply(key, weight) - weight

    def acts(self, key: str) -> bool:
        """Whether what becomes of a weight depends on it."""
        return any(not isinstance(change.edit, Delta) for change in self.lora.changes[key])


def sides(change: Change) -> tuple[int, int]:
    """The sizes [o, i·k·k] of the matrix."""
    if isinstance(change, Factors):
        return change.up.shape[0], change.down.shape[1]
    return _matrix(change).shape[0], _matrix(change).shape[1]


def spectrum(change: Change) -> Tensor:
    """The singular values, float64, the largest first; of a whole matrix those above its noise."""
    if isinstance(change, Factors):
        return singular_values(change)
    return svd(_matrix(change)).values


def spaces(change: Change) -> tuple[Tensor, Tensor, Tensor]:
    """Orthonormal bases of what it writes [o, k] and reads [i·k·k, k], with σ [k] between them."""
    if isinstance(change, Factors):
        left, sigma, right = decompose(change)
        return left, sigma, right.T
    found = svd(_matrix(change))
    return found.left, found.values, found.right.T


def product(one: Change, other: Change) -> float:
    """The sum of the elementwise product of two changes of one weight, in float64."""
    if isinstance(one, Factors) and isinstance(other, Factors):
        return inner(one, other)
    if isinstance(other, Factors):
        one, other = other, one
    assert isinstance(other, Tensor), "factors come first"
    whole = _matrix(other)
    if isinstance(one, Tensor):
        return float(torch.dot(_matrix(one).reshape(-1), whole.reshape(-1)))
    with one_thread():
        seen = whole @ one.down.double().T
    return float((seen * one.up.double()).sum()) * one.scale


def _matrix(change: Tensor) -> Tensor:
    return change.double().reshape(len(change), -1)
