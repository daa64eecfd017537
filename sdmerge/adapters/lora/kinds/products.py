"""Products of factors, to the same bits whoever asks: `lowrank.dense` computes them all."""

from __future__ import annotations

from torch import Tensor

from sdmerge.lowrank import Factors, dense


def matmul(left: Tensor, right: Tensor) -> Tensor:
    """The product of two float32 matrices."""
    return dense(Factors(left, right)).view(left.shape[0], right.shape[1])


def inner(core: Tensor, right: Tensor) -> Tensor:
    """Σₛ core[r, s, …] · right[s, i] as [r, i, …]: a Tucker core with its input side."""
    last = core.movedim(1, -1)
    product = matmul(last.reshape(-1, core.shape[1]), right)
    return product.view(*last.shape[:-1], right.shape[1]).movedim(-1, 1).contiguous()


def tucker(left: Tensor, core: Tensor, right: Tensor) -> Tensor:
    """Σᵣₛ left[o, r] · core[r, s, …] · right[s, i] as [o, i, …]."""
    middle = inner(core, right)
    return matmul(left, middle.flatten(1)).view(left.shape[0], *middle.shape[1:])
