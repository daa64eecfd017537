"""Bradley–Terry: strengths such that one beats another with probability σ(θᵢ - θⱼ).

R. A. Bradley, M. E. Terry, Rank analysis of incomplete block designs I, Biometrika 39 (1952). A tie
counts as half a win for each. A normal prior keeps the strengths of what always won finite; the
covariance is the inverse of the observed information at the mode (Laplace's approximation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRIOR = 2.0
"""The prior's standard deviation, in log-odds: weak, two models apart by it win 88 of 100."""

_ENOUGH = 1e-10
_Z95 = 1.96

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Game:
    """One comparison of items by their number; `share` is 1 if the first won, 0.5 for a tie."""

    first: int
    second: int
    share: float


@dataclass(frozen=True, slots=True)
class Strengths:
    """theta [n] in log-odds, covariance [n, n]."""

    theta: Floats
    covariance: Floats

    def win_rates(self) -> Floats:
        """[n, 3]: how often each beats one of the others, and its 95 % interval's ends.

        The interval is that of the delta method on the logit, so that it stays within 0 and 1.
        """
        n = len(self.theta)
        p = _sigmoid(self.theta[:, None] - self.theta[None, :])
        np.fill_diagonal(p, 0.0)
        rate = p.sum(1) / (n - 1)
        known = p * (1 - p) / (n - 1)
        slope = np.diag(known.sum(1)) - known  # d rate / d theta
        spread = np.sqrt(np.einsum("ij,jk,ik->i", slope, self.covariance, slope))
        logit = np.log(rate / (1 - rate))
        error = _Z95 * spread / (rate * (1 - rate))
        return np.stack([rate, _sigmoid(logit - error), _sigmoid(logit + error)], 1)

    def doubt(self, i: int, j: int) -> float:
        """The variance of θᵢ - θⱼ."""
        one, two = self.covariance[i], self.covariance[j]
        return float(one[i] + two[j] - 2 * one[j])

    def settled(self) -> bool:
        """Whether the leader is ahead of each other by more than a 95 % interval."""
        best = int(self.theta.argmax())
        leads = [
            float(self.theta[best] - self.theta[j]) > _Z95 * self.doubt(best, j) ** 0.5
            for j in range(len(self.theta))
            if j != best
        ]
        return bool(leads) and all(leads)


def fit(count: int, games: Sequence[Game], prior: Floats | None = None) -> Strengths:
    """The mode of the posterior of `count` strengths, by Newton's method.

    `prior` is the covariance that they have before any game [count, count]; by default they know
    nothing of each other, and their mean is 0 then after the games too.
    """
    first = np.array([game.first for game in games], np.intp)
    second = np.array([game.second for game in games], np.intp)
    share = np.array([game.share for game in games], np.float64)
    theta = np.zeros(count)
    covariance: Floats = np.eye(count) * PRIOR**2 if prior is None else prior
    precision = np.eye(count) / PRIOR**2 if prior is None else np.linalg.inv(prior)
    for _ in range(100):
        p = _sigmoid(theta[first] - theta[second])
        gradient = -(precision @ theta)
        np.add.at(gradient, first, share - p)
        np.add.at(gradient, second, p - share)
        information = precision + _information(count, first, second, p * (1 - p))
        covariance = np.linalg.inv(information).astype(np.float64)
        step = covariance @ gradient
        largest = np.abs(step).max(initial=0.0)
        # the posterior is concave; a short step keeps the first ones from overshooting
        theta = theta + min(1.0, 2.0 / max(largest, 1e-300)) * step
        if largest < _ENOUGH:
            break
    return Strengths(theta, covariance)


def _information(
    count: int, first: NDArray[np.intp], second: NDArray[np.intp], w: Floats
) -> Floats:
    """The negative second derivative of the games' log-likelihood."""
    matrix = np.zeros((count, count))
    for i, j, sign in ((first, first, 1), (second, second, 1), (first, second, -1)):
        np.add.at(matrix, (i, j), sign * w)
    np.add.at(matrix, (second, first), -w)
    return matrix


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))
