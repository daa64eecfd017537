"""Two differences as the legs of a right triangle."""

from __future__ import annotations

import math

import numpy as np

from sdmerge.method import Delta, Stat, method
from sdmerge.params import Blend
from sdmerge.shares import length
from sdmerge.whole import Whole


def legs(whole: Whole, alpha: float) -> tuple[float, float]:
    """What A's and B's numbers are multiplied by before they are squared."""
    products = whole.gram()
    mix = np.array([1 - alpha, alpha])
    there = np.diag(products) > 0
    # squares of unit vectors sum to one each, so the legs together to the mix of those there are
    size = length(products, mix) / math.sqrt(max((mix * there).sum(), 1e-300))
    lengths = np.sqrt(np.where(there, np.diag(products), np.inf))
    leg_a, leg_b = size * np.sqrt(mix) / lengths
    return float(leg_a), float(leg_b)


@method(title="Euclidean add difference", paper="https://github.com/s1dlx/meh", stats=legs)
def euclidean_add_difference(a: Delta, b: Delta, leg: Stat, *, alpha: Blend = 0.5) -> Delta:
    """Add two differences as the legs of a right triangle: √((1-α)·â² + α·b̂²), number by number.

    C is base_model, â = (A-C)/‖A-C‖ and b̂ likewise. The sign is that of (1-α)·(A-C) + α·(B-C),
    which also gives the length of the whole; where it is zero C stays.

    alpha: B's share; 0 is A, 1 is B.
    """
    leg_a, leg_b = leg
    mix = (1 - alpha) * a + alpha * b
    return mix.sign() * ((leg_a * a).square() + (leg_b * b).square()).sqrt()
