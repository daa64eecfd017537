"""WARP: what two models learned, mixed along the arc between them."""

from __future__ import annotations

import math

import numpy as np

from sdmerge.method import Delta, Stat, Whole, method
from sdmerge.params import Blend


def inner_products(whole: Whole) -> np.ndarray:
    """The inner products [2, 2] of the two deltas."""
    return whole.gram()


@method(
    title="WARP (SLERP of task vectors)", paper="https://arxiv.org/abs/2406.16768",
    stats=inner_products,
)  # fmt: skip
def warp(a: Delta, b: Delta, products: Stat, *, t: Blend = 0.5) -> Delta:
    """Walk from A to B along the arc of what they learned, with the base as its centre.

    base + sin((1-t)Ω)/sin Ω · τ_A + sin(tΩ)/sin Ω · τ_B, Ω the angle between them, per tensor.
    Ramé et al., "WARP", 2024: differences stand nearly at right angles, so that their average is
    shorter than either, and the arc is not; `slerp` follows the arc of the weights themselves.
    Differences that are parallel, opposite or zero are interpolated in a straight line. The paper's
    next step towards the base (LITI) is task_arithmetic with a weight of η, in a second stage.

    t: Position on the arc; 0 is A, 1 is B.
    """
    lengths = math.sqrt(products[0, 0]) * math.sqrt(products[1, 1])
    if lengths == 0.0:
        return (1 - t) * a + t * b
    angle = math.acos(min(1.0, max(-1.0, products[0, 1] / lengths)))
    if math.sin(angle) < 1e-4:
        return (1 - t) * a + t * b
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)
