"""Edit: what a module does to one tensor, its weight or its bias. A kind makes edits of keys."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from sdmerge.adapters.lora.kinds.keys import Keys
from sdmerge.lowrank import Factors, dense
from sdmerge.tensors.store import TensorStore

Part = Literal["weight", "bias"]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Edit(ABC):
    """What a module does to its weight or its bias; `rank` where it has one."""

    part: Part
    rank: int | None

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """The tensor it is made for, for complaints; a size that the file leaves open is -1."""

    @property
    def required(self) -> bool:
        """Whether a model without the tensor is the wrong model."""
        return True

    def fits(self, shape: Shape) -> bool:
        """Whether a tensor of this shape is one; a 1×1 convolution is a matrix."""
        mine, other = trimmed(self.shape), trimmed(shape)
        alike = zip(mine, other, strict=False)
        return len(mine) == len(other) and all(a in (-1, b) for a, b in alike)

    @property
    def rowwise(self) -> bool:
        """Whether each row of the result depends on that row alone, so that rows may be cut."""
        return False

    @abstractmethod
    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """The changed tensor, float32, of the shape of `weight`, which is float32 as well."""


class Delta(Edit):
    """An edit that adds the same whatever it is added to."""

    @property
    def rowwise(self) -> bool:
        """A sum has no other kind."""
        return True

    @abstractmethod
    def delta(self, store: TensorStore, shape: Shape) -> Tensor:
        """ΔW for a tensor of this shape, float32."""

    def factors(self, store: TensorStore) -> Factors | None:  # noqa: ARG002 - for those that have
        """ΔW as low-rank factors of [out, rest]; None where it has no low rank."""
        return None

    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """W + ΔW."""
        return weight + self.delta(store, tuple(weight.shape))


class LowRank(Delta):
    """A delta that lies in the file as two factors."""

    @abstractmethod
    def factors(self, store: TensorStore) -> Factors:
        """The factors, read now, float32."""

    def delta(self, store: TensorStore, shape: Shape) -> Tensor:
        """The product of both."""
        return dense(self.factors(store)).view(shape)


@dataclass(frozen=True, slots=True)
class Kind:
    """One idea of an adapter: the parts that tell it, and what it makes of a module's keys."""

    parts: frozenset[str]
    build: Callable[[Keys], Iterator[Edit]]


def trimmed(shape: Shape) -> Shape:
    """A shape without the kernel of a 1×1 convolution."""
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def flattened(shape: Shape) -> tuple[int, int]:
    """The shape as a matrix [out, rest]."""
    return shape[0], math.prod(shape[1:])


def low_enough(rank: int, shape: tuple[int, int]) -> bool:
    """Whether factors of this rank hold fewer numbers than the matrix itself."""
    return rank * sum(shape) < shape[0] * shape[1]
