"""Low frequencies of one tensor, high frequencies of another."""

# torch does not type its Fourier transforms
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sdmerge.method import Weight, method
from sdmerge.params import Blend, Fraction


def _pitch(shape: Sequence[int]) -> Tensor:
    """Per coefficient of a real transform how high its frequency is: 0 the mean, 1 the highest."""
    squares = torch.zeros(1, dtype=torch.float64)
    for dim, size in enumerate(shape):
        last = dim == len(shape) - 1
        count = size // 2 + 1 if last else size
        place = torch.arange(count, dtype=torch.float64)
        height = torch.minimum(place, size - place) / max(size // 2, 1)
        squares = squares + height.square().reshape(-1, *[1] * (len(shape) - 1 - dim))
    return (squares / max(1, sum(size > 1 for size in shape))).sqrt()


@method(title="Crossover", paper="https://github.com/ljleb/sd-mecha", unit="tensor")
def crossover(a: Weight, b: Weight, *, alpha: Blend = 0.5, tilt: Fraction = 0.0) -> Weight:
    """Take the low frequencies of A's Fourier transform and the high ones of B's.

    B's share of a frequency at height h (0 the mean, 1 the highest; over several dimensions the
    root of the mean square) is α + (h - (1-α))·cot(π·tilt/2), held within 0 and 1. A is base_model
    if the recipe has one.

    alpha: Share of the range of frequencies, from the highest down, that are B's; 0 is A, 1 is B.
    tilt: 0 cuts at 1 - α sharply, 1 is a weighted sum of all frequencies, between is a ramp.
    """
    shape = a.shape or (1,)
    slope = math.cos(math.pi * tilt / 2) / max(math.sin(math.pi * tilt / 2), 1e-30)
    share = (alpha + (_pitch(shape) - (1 - alpha)) * slope).clamp(0.0, 1.0).to(a.dtype)
    step = torch.fft.rfftn((b - a).reshape(shape))
    return a + torch.fft.irfftn(share * step, s=shape).reshape(a.shape)


@method(title="Distribution crossover", paper="https://github.com/s1dlx/meh", unit="tensor")
def distribution_crossover(
    a: Weight, b: Weight, c: Weight, *, alpha: Fraction = 0.5, beta: Fraction = 0.0
) -> Weight:
    """Cross A and B over in frequency with their numbers in the order of C's.

    The numbers are put in the order in which C's ascend, so that neighbours belong together, and
    transformed; B's share of the k-th of K frequencies is (k/K - α)/β + ½, held within 0 and 1.

    alpha: Share of the frequencies, from the lowest, that are A's; 1 is A.
    beta: Width of the ramp from A to B; 0 is a sharp cut.
    """
    order = c.reshape(-1).argsort(stable=True)
    old = a.reshape(-1)[order]
    step = torch.fft.rfft(b.reshape(-1)[order] - old)
    height = torch.arange(len(step), dtype=torch.float64) / len(step)
    share = ((height - alpha) / beta + 0.5).clamp(0.0, 1.0) if beta else (height >= alpha)
    mixed = torch.empty_like(old)
    mixed[order] = old + torch.fft.irfft(share.to(a.dtype) * step, len(old))
    return mixed.reshape(a.shape)
