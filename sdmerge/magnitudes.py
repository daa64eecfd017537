"""The nearest DoRA: magnitudes and a change of low rank that together give a tuned weight.

A DoRA gives m ∘ V / ‖V‖ with V = W + ΔW and norms of rows (Liu et al. 2024,
https://arxiv.org/abs/2402.09353, eq. 5). Any V = W′ / s, row by row, gives W′: so it is W′ - s ∘ W
that a product of low rank X = s ∘ ΔW has to meet. Both s and X have a best one for the other, and
s = 1 is where a LoRA stands; taking turns from there the error can only fall below a LoRA's.
"""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.bounds import Bounds
from sdmerge.lowrank import Factors, aligned, one_thread
from sdmerge.sketch import approximate

_TURNS = 8
_LEAST = 0.1
"""Rows of W are not scaled below this: V would be W′ magnified, and ΔW all of it."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The magnitudes [o] that fit best, float32, and ‖W′ - m ∘ V / ‖V‖‖² with them."""

    magnitudes: Tensor
    off: float


def nearest_direction(base: Tensor, change: Tensor, bounds: Bounds) -> Factors:
    """ΔW for which the rows of base + ΔW point as those of base + change do; [o, i], float32."""
    found = approximate(change, bounds)
    fixed = Bounds(rank=found.rank)
    scale = torch.ones(len(base), 1)
    for _ in range(_TURNS):
        scale = torch.cat([*_scales(base, change, found)])[:, None].clamp(min=_LEAST)
        found = approximate(change + (1 - scale) * base, fixed)
    return Factors(found.up / scale, found.down, found.scale)


def fit_magnitudes(base: Tensor, change: Tensor, direction: Factors) -> Fit:
    """The best magnitudes for a direction, as least squares: ⟨W′, V⟩ / ‖V‖, row by row."""
    magnitudes: list[Tensor] = []
    off = 0.0
    for own, step, product in _rows(base, change, direction):
        tuned, seen = own + step, own + product
        norms = seen.norm(dim=1, keepdim=True)
        unit = seen / norms.clamp(min=torch.finfo(torch.float64).tiny)
        best = (tuned * unit).sum(dim=1).float()
        magnitudes.append(best)
        off += float((tuned - best.double()[:, None] * unit).square().sum())
    return Fit(torch.cat(magnitudes), off)


def _scales(base: Tensor, change: Tensor, product: Factors) -> Iterator[Tensor]:
    """The best s for an X: ⟨W′ - X, W⟩ / ‖W‖², row by row; 1 for a row of zeros."""
    for own, step, low in _rows(base, change, product):
        squares = own.square().sum(dim=1)
        beside = ((step - low) * own).sum(dim=1)
        yield torch.where(squares > 0, 1 + beside / squares.clamp(min=1e-300), 1.0).float()


def _rows(base: Tensor, change: Tensor, factors: Factors) -> Iterator[tuple[Tensor, ...]]:
    """Blocks of rows of base, change and product, float64: what they lack is what is looked for."""
    count = max(16, _BLOCK // base.shape[1])
    down = aligned(factors.down.double())
    parts = zip(base.split(count), change.split(count), factors.up.split(count), strict=True)
    for own, step, up in parts:
        with one_thread():
            product = aligned(up.double()) @ down
        yield own.double(), step.double(), product.mul_(factors.scale)
