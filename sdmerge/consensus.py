"""How several deltas become one: plain sums, and means over the entries that agree in sign."""

from __future__ import annotations

from itertools import repeat
from typing import Literal

import torch
from torch import Tensor

from sdmerge.method import total

Vote = Literal["after", "before", "count"]

NEARLY_ZERO = 1e-8
"""Weights whose sum is closer to zero than this cannot be normalised."""


def weighted_sum(stack: Tensor, weight: float | Tensor, *, normalize: bool) -> Tensor:
    """Σ wᵢ·xᵢ over the first dimension of `stack` [n, *shape]; ÷ Σ wᵢ if asked and possible."""
    shares = weight if isinstance(weight, Tensor) and weight.ndim else repeat(weight)
    below = divisor(weight, len(stack), normalize=normalize)
    # one product at a time: all of them at once would not fit the cache
    products = (share * row for share, row in zip(shares, stack, strict=False))
    mixed = next(products)
    for product in products:
        mixed += product
    return mixed if below == 1.0 else mixed / below


def divisor(weight: float | Tensor, count: int, *, normalize: bool) -> float:
    """Σ wᵢ of `count` inputs if asked for and not nearly zero, else 1."""
    scale = sum(float(share) for share in torch.as_tensor(weight).reshape(-1).expand(count))
    return scale if normalize and abs(scale) > NEARLY_ZERO else 1.0


def disjoint_mean(deltas: Tensor, weight: float | Tensor, vote: Vote, *, normalize: bool) -> Tensor:
    """Elect a sign per entry, then Σ wᵢ·τᵢ / Σ |wᵢ| over the entries that have it.

    Yadav et al., "TIES-Merging", 2023, §3.2 (elect, disjoint merge); zero entries do not take part.
    Without `normalize` the sum alone. Where weights count in the vote, an entry of a negatively
    weighted model votes turned around.
    """
    weighted = weight * deltas  # [n, *shape]
    voters = deltas if vote == "before" else weighted
    elected = total(voters.sign() if vote == "count" else voters).sign()
    agrees = voters * elected > 0
    mixed = total(torch.where(agrees, weighted, 0.0))
    if not normalize:
        return mixed
    shares = total(agrees * abs(weight))
    return torch.where(shares > 0, mixed / shares, 0.0)


def taking_part(stack: Tensor) -> Tensor:
    """Those of the stack [n, *shape] that are not zero throughout."""
    return stack[stack.reshape(len(stack), -1).any(dim=1)]


def mean(stack: Tensor) -> Tensor:
    """The average over the first dimension; zero if there is nothing to average."""
    return total(stack) / len(stack) if len(stack) else stack.new_zeros(stack.shape[1:])
