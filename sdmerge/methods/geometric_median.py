"""The point of least summed distance."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sdmerge.method import Stat, Weight, Weights, method
from sdmerge.params import PerModel, Share
from sdmerge.shares import combination, counts, dot, length
from sdmerge.whole import Whole

_STEPS, _SAME = 1000, 1e-12


def median_shares(whole: Whole, weight: Tensor) -> np.ndarray:
    """How much of each tensor [n] makes the median: every iterate is a mean of the inputs."""
    share, squares = counts(weight), whole.squared_distances()
    at_inputs = _medians_among(squares, share)
    return at_inputs if at_inputs.any() else _weiszfeld(squares, share)


def _medians_among(squares: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Equal shares of the inputs that are medians themselves; all zero if none is.

    An input is one if the unit pulls of the others are no stronger than its own weight. Two inputs
    can be only where all lie on a line, and then all between them is as good.
    """
    distance = np.sqrt(squares)
    best = np.zeros(len(weight))
    for place, row in enumerate(distance):
        own = row == 0
        pull = np.divide(weight, row, np.zeros_like(row), where=~own)
        # <x_i - x, x_j - x> from the squared distances
        inner = (squares[place] + squares[place][:, None] - squares) / 2
        vote = weight[own].sum()
        if vote > 0 and length(inner, pull) <= vote * (1 + 1e-9):
            best[own.argmax()] = 1.0  # the first of those that are equal
    return best / (best.sum() or 1.0)


def _weiszfeld(squares: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weiszfeld's iteration from the weighted mean."""
    shares = weight
    for _ in range(_STEPS):
        # |x_i - Σ s_j·x_j|² from the squared distances
        away = dot(squares, shares)
        away = away - dot(away, shares) / 2
        pull = weight / np.sqrt(away.clip(min=_SAME * squares.max()))
        found = pull / pull.sum()
        if np.abs(found - shares).max() < _SAME:
            break
        shares = found
    return shares


@method(
    title="Geometric median",
    paper="https://doi.org/10.1073/pnas.97.4.1423",
    stats=median_shares,
    rotation="both",
)
def geometric_median(
    weights: Weights, shares: Stat, *, weight: PerModel[Share] = 1.0,  # noqa: ARG001
) -> Weight:  # fmt: skip
    """Take the point of least Σ wᵢ·‖θ - θᵢ‖: an average that one far model cannot drag along.

    Weiszfeld's iteration, after a test whether one of the models is the median itself (Vardi and
    Zhang, "The multivariate L1-median", 2000). Of several medians the middle: of two models of
    equal weight their mean, while the heavier of two wins alone. Weights that are all zero count as
    equal. The same with and without a base, because it moves with the models.

    weight: How much each model counts.
    """
    return combination(weights, shares)
