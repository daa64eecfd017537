"""LoKr: ΔW = scale · w1 ⊗ w2, a Kronecker product of two small matrices, each whole or of low rank.

LyCORIS, Yeh et al. 2023 (https://arxiv.org/abs/2309.14859). w2 may be a kernel, or `w2_a @ w2_b`,
or Σ w2_a[r,o] · t2[r,s,…] · w2_b[s,i]. With both whole there is no rank: LyCORIS does not scale
then, PEFT's files go by their configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Delta, Edit, Kind, Shape, flattened, low_enough
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.adapters.lora.kinds.products import matmul, tucker
from sdmerge.lowrank import Factors
from sdmerge.tensors.store import TensorStore

_PARTS = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2")


@dataclass(frozen=True)
class LoKr(Delta):
    """The keys of w1 and of w2: one of a whole, two of a product, three with a core between."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    scale: float
    size: tuple[int, int]

    @property
    def shape(self) -> Shape:
        """(o, i·k·k)."""
        return self.size

    def fits(self, shape: Shape) -> bool:
        """Any kernel of as many numbers fits: the product is the same, flat or not."""
        return len(shape) > 1 and flattened(shape) == self.size

    def delta(self, store: TensorStore, shape: Shape) -> Tensor:
        """ΔW with both flat: the kernel's numbers lie within w2's columns."""
        product = _kron(_whole(store, self.first), _whole(store, self.second))
        return product.mul(self.scale).view(shape)

    def factors(self, store: TensorStore) -> Factors | None:
        """w1 ⊗ (a @ b) = (w1 ⊗ a) @ (I ⊗ b); with w1 = c @ d it is (c ⊗ a) @ (d ⊗ b)."""
        if len(self.second) != 2:
            return None
        a, b = (read(store, key).flatten(1) for key in self.second)
        if len(self.first) == 2:
            left, right = (read(store, key) for key in self.first)
        else:
            left = _whole(store, self.first)
            right = torch.eye(left.shape[1])
        if not low_enough(left.shape[1] * a.shape[1], self.size):
            return None
        return Factors(_kron(left, a), _kron(right, b), self.scale)


def _kron(left: Tensor, right: Tensor) -> Tensor:
    return torch.kron(left, right.contiguous())


def _whole(store: TensorStore, keys: tuple[str, ...]) -> Tensor:
    """A factor of the product as a matrix."""
    parts = [read(store, key) for key in keys]
    if len(parts) == 1:
        return parts[0].flatten(1)
    if len(parts) == 2:
        return matmul(parts[0], parts[1].flatten(1))
    return tucker(parts[0].T, parts[2], parts[1]).flatten(1)


def _lokr(keys: Keys) -> Iterator[Edit]:
    first, (out_one, in_one), rank_one = _factor(keys, "lokr_w1")
    second, (out_two, in_two), rank_two = _factor(keys, "lokr_w2")
    rank = rank_two or rank_one
    size = (out_one * out_two, in_one * in_two)
    yield LoKr("weight", rank, first, second, keys.scale(rank), size)


def _factor(keys: Keys, name: str) -> tuple[tuple[str, ...], tuple[int, int], int | None]:
    """One side of the product: its keys, its shape as a matrix, its rank (None: it is whole)."""
    if name in keys:
        return (keys[name],), flattened(keys.kernel(name)), None
    left, right, core = f"{name}_a", f"{name}_b", "lokr_t2"
    keys.require(left, right)
    pair = keys[left], keys[right]
    a = keys.matrix(left)
    if name == "lokr_w2" and core in keys:
        b, middle = keys.matrix(right), keys.kernel(core)
        keys.agree(a[0], b[0], *middle[:2])
        kernel = flattened(middle[1:])[1]
        return (*pair, keys[core]), (a[1], b[1] * kernel), a[0]
    b = flattened(keys.kernel(right))
    keys.agree(a[1], b[0])
    return pair, (a[0], b[1]), a[1]


LOKR = Kind(frozenset(_PARTS), _lokr)
