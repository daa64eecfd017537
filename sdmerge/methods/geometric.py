"""Geometric means, number by number."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sdmerge.method import Delta, Weight, method
from sdmerge.params import Blend, Fraction


def _magnitude(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """|A|^(1-α) · |B|^α; numpy's powers, because torch's depend on the slab's tail."""
    x, y = (values.abs().double().numpy() for values in (a, b))
    return torch.from_numpy(np.power(x, 1 - alpha) * np.power(y, alpha)).to(a.dtype)  # pyright: ignore[reportUnknownMemberType]


@method(title="Geometric sum", paper="https://github.com/ljleb/sd-mecha")
def geometric_sum(a: Weight, b: Weight, *, alpha: Blend = 0.5) -> Weight:
    """Mix two models by powers: the real part of A^(1-α) · B^α.

    Of numbers of one sign the geometric mean, with that sign; where A's and B's signs differ, the
    magnitude times cos(π·share of the negative one), which is zero half-way. A is base_model if the
    recipe has one.

    alpha: B's share; 0 is A, 1 is B.
    """
    turn_a, turn_b = math.cos(math.pi * (1 - alpha)), math.cos(math.pi * alpha)
    turned = torch.where(a < 0, torch.where(b < 0, -1.0, turn_a), torch.where(b < 0, turn_b, 1.0))
    return turned * _magnitude(a, b, alpha)


@method(title="Multiply difference", paper="https://github.com/s1dlx/meh")
def multiply_difference(
    a: Delta, b: Delta, *, alpha: Fraction = 0.5, beta: Fraction = 0.5
) -> Delta:
    """Add the geometric mean of two differences: |A-C|^(1-α) · |B-C|^α, with the sign of a mix.

    C is base_model. The sign is that of (1-β)·(A-C) + β·(B-C); where that is zero C stays.

    alpha: B's share of the magnitude.
    beta: B's share of what decides the sign.
    """
    return ((1 - beta) * a + beta * b).sign() * _magnitude(a, b, alpha)
