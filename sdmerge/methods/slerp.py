"""Spherical interpolation of two models."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np

from sdmerge.method import Stat, Weight, Whole, method
from sdmerge.params import Blend, Mergekit


def arc(whole: Whole) -> np.ndarray:
    """The inner products [2, 2] of the two tensors."""
    return whole.gram()


@method(title="SLERP", paper="https://doi.org/10.1145/325165.325242", stats=arc)
def slerp(
    a: Weight, b: Weight, products: Stat, *, t: Blend = 0.5,
    norm: Annotated[Literal["lerp", "raw"], Mergekit("raw")] = "lerp",
) -> Weight:  # fmt: skip
    """Walk from A to B along the arc between them: sin((1-t)Ω)/sin Ω · â + sin(tΩ)/sin Ω · b̂.

    Shoemake, "Animating rotation with quaternion curves", 1985, on the whole tensor as one vector,
    Ω the angle between A and B. A is base_model if the recipe has one. Tensors that are parallel,
    opposite or zero have no one arc; they are interpolated in a straight line.

    t: Position on the arc; 0 is A, 1 is B.
    norm: `lerp` lets the length go straight from A's to B's; `raw` mixes the tensors as they are,
        as mergekit does, so the result is shorter where the lengths differ.
    """
    length_a, length_b = math.sqrt(products[0, 0]), math.sqrt(products[1, 1])
    if length_a * length_b == 0.0:
        return (1 - t) * a + t * b
    angle = math.acos(min(1.0, max(-1.0, products[0, 1] / (length_a * length_b))))
    if math.sin(angle) < 1e-4:
        return (1 - t) * a + t * b
    share_a, share_b = (
        math.sin((1 - t) * angle) / math.sin(angle),
        math.sin(t * angle) / math.sin(angle),
    )
    if norm == "lerp":
        length = (1 - t) * length_a + t * length_b
        share_a, share_b = share_a * length / length_a, share_b * length / length_b
    return share_a * a + share_b * b
