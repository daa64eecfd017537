"""Means on the sphere: the direction nearest to all models, by the angles between them.

Every iterate is a combination of the inputs, so their inner products are all that is needed.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from torch import Tensor

from sdmerge.method import Stat, Vector, Vectors, Weight, Weights, method
from sdmerge.params import PerModel, Range, Share
from sdmerge.shares import combination, counts, dot, length
from sdmerge.whole import Whole

_STEPS, _TOLERANCE = 100, 1e-9
_TINY = 1e-4
"""So near to π an angle has no one shortest arc; so short a sum of directions points nowhere."""


def shares_of_mean(products: np.ndarray, weight: Tensor, steps: int, tol: float) -> np.ndarray:
    """How much of each tensor [n] makes the weighted mean, as long as the mean of their lengths."""
    share = counts(weight)
    lengths = np.sqrt(np.diag(products))
    inverse = np.divide(1.0, lengths, np.zeros_like(lengths), where=lengths > 0)
    pulling = np.where(lengths > 0, share, 0.0)  # a zero tensor has a length and no direction
    mean = _mean_direction(products * inverse * inverse[:, None], pulling, steps, tol)
    return share if mean is None else mean * inverse * dot(share, lengths)


def _mean_direction(
    cosines: np.ndarray, weight: np.ndarray, steps: int, tol: float
) -> np.ndarray | None:
    """The unit vector of least Σ wᵢ·angleᵢ², in shares of the unit inputs; None if there is none.

    Buss and Fillmore, 2001, algorithm A1.
    """
    weight = weight / max(weight.sum(), 1e-300)
    size = length(cosines, weight)
    if size < _TINY:
        return None
    mean = weight / size
    for _ in range(steps):
        cosine = dot(cosines, mean).clip(-1.0, 1.0)
        angle = np.arccos(cosine)
        if (angle[weight > 0] > np.pi - _TINY).any():
            return None
        # the logarithm of an input at the mean is angle / sin(angle) · (input - cosine · mean)
        pull = weight / np.sinc(angle / np.pi)
        step = pull - dot(pull, cosine) * mean
        size = length(cosines, step)
        if size < tol:
            break
        mean = np.cos(size) * mean + np.sinc(size / np.pi) * step
        mean /= length(cosines, mean)
    return mean


def karcher_shares(whole: Whole, weight: Tensor, max_iter: int, tol: float) -> np.ndarray:
    """How much of each tensor makes the Karcher mean."""
    return shares_of_mean(whole.gram(), weight, max_iter, tol)


def barycentre_shares(whole: Whole, weight: Tensor, normalize_weights: bool) -> np.ndarray:
    """How much of each tensor makes the barycentre."""
    scale = 1.0 if normalize_weights else float(weight.sum())
    return scale * shares_of_mean(whole.gram(), weight, _STEPS, _TOLERANCE)


@method(
    title="Karcher mean",
    paper="https://arxiv.org/abs/1201.0925",
    stats=karcher_shares,
    rotation="both",
)
def karcher(
    weights: Weights, shares: Stat, *,
    weight: PerModel[Share] = 1.0,  # noqa: ARG001  `shares` are made of it, and of the others
    max_iter: Annotated[int, Range(1, 100, limits=(1, 1000))] = _STEPS,  # noqa: ARG001
    tol: Annotated[float, Range(1e-12, 1e-3, log=True, limits=(0.0, 1.0))] = _TOLERANCE,  # noqa: ARG001
) -> Weight:  # fmt: skip
    """Take the direction of least Σ wᵢ·angle², the Riemannian mean, at the mean length Σ wᵢ·‖θᵢ‖.

    Gradient descent of unit steps from the mean of the directions (Afsari, Tron and Vidal, 2013):
    u ← exp_u(Σ wᵢ·log_u(θᵢ/‖θᵢ‖)), with Σ wᵢ = 1. A zero tensor counts by its length alone. Where
    the directions balance out, or one is opposite to the mean, there is no one mean: then the
    straight average is taken. Weights that are all zero count as equal. mergekit's has equal
    weights only, 10 steps and a tolerance of 1e-5.

    weight: How much each model counts.
    max_iter: Most steps of the descent.
    tol: Angle of a step, in radians, below which the descent ends.
    """
    return combination(weights, shares)


@method(
    title="Multi-SLERP",
    paper="https://doi.org/10.1145/502122.502124",
    stats=barycentre_shares,
    rotation="both",
)
def multislerp(
    vectors: Vectors, shares: Stat, *,
    weight: PerModel[Share] = 1.0,  # noqa: ARG001  `shares` are made of it
    normalize_weights: bool = True,  # noqa: ARG001  likewise
) -> Vector:  # fmt: skip
    """Take the weighted barycentre on the sphere: SLERP of any number of models.

    Buss and Fillmore, "Spherical averages", 2001: the direction of least Σ wᵢ·angle², here as long
    as the weighted mean of the lengths. With a base_model on the differences from it. mergekit's
    projects onto the tangent plane of the normalised average, where the sum is always zero, and so
    returns that average: of two models at right angles with weights 1 and 4 it lies at 0.84 of the
    angle instead of 0.8. Where the directions balance out, or one is opposite to the mean, the
    straight average is taken.

    weight: How much each model counts.
    normalize_weights: Divide by the sum of the weights (all zero: count them as equal); otherwise
        the sum scales the result.
    """
    return combination(vectors, shares)
