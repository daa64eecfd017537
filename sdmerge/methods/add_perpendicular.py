"""What one model learned that another does not know yet, in the sense of geometry."""

from __future__ import annotations

import numpy as np

from sdmerge.method import Delta, Stat, method
from sdmerge.params import Scale
from sdmerge.whole import Whole


def inner_products(whole: Whole) -> np.ndarray:
    """The inner products [2, 2] of the two deltas."""
    return whole.gram()


@method(
    title="Add perpendicular",
    paper="https://github.com/ljleb/sd-mecha",
    stats=inner_products,
    rotation="both",
)
def add_perpendicular(a: Delta, b: Delta, products: Stat, *, alpha: Scale = 1.0) -> Delta:
    """Add to A the part of B's difference from the base that is at right angles to A's.

    A + α·(τ_B - (τ_A·τ_B / τ_A·τ_A)·τ_A), as in sd-mecha, on the whole tensor as one vector: what A
    learned is neither strengthened nor undone. Where A learned nothing, all of B's difference
    stands at right angles and is added; sd-mecha adds none of it.

    alpha: How much of the perpendicular part is added.
    """
    along, length, other = products[0, 1], products[0, 0], products[1, 1]
    # beside the other a vector as short as this has no direction in float32
    share = along / length if length > 1e-60 * other else 0.0
    return a + alpha * (b - share * a)
