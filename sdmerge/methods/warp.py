"""WARP: what two models learned, mixed along the arc between them."""

from __future__ import annotations

import numpy as np

from sdmerge.method import Delta, Stat, method
from sdmerge.params import Blend
from sdmerge.shares import along_arc, angles
from sdmerge.whole import Whole


def inner_products(whole: Whole) -> np.ndarray:
    """The inner products [2, 2] of the two deltas."""
    return whole.gram()


@method(
    title="WARP (SLERP of task vectors)", paper="https://arxiv.org/abs/2406.16768",
    stats=inner_products,
    rotation="both",
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
    share_a, share_b = map(float, along_arc(angles(products), t))
    return share_a * a + share_b * b
