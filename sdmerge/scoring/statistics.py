"""Statistics: scores with their noise. Prompts are drawn at random, pictures of one prompt are kin.

So the prompt is the unit: the mean is over prompts, each with the mean of its pictures, the
standard error is over prompts, intervals resample prompts (the cluster bootstrap: Davison &
Hinkley, "Bootstrap methods and their application", 1997, section 3.8). Two models are compared on
the same prompts and seeds, difference by difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sdmerge.errors import ScorerError

RESAMPLES = 10_000
LEVEL = 0.95
_AT_ONCE = 1 << 22
"""Numbers drawn at once: a chunk of resamples of all prompts."""

Key = tuple[int, int]
"""A picture's prompt, and which of the prompt's pictures it is."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over prompts; what one prompt cannot tell is NaN."""

    mean: float
    stderr: float
    low: float
    high: float
    """The bootstrap interval's ends, at 95 %."""
    prompts: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Difference(Estimate):
    """The mean of paired differences."""

    p: float
    """Two-sided: how often differences at least as large come about if each prompt's difference
    may as well have the other sign."""


def estimate(scores: Mapping[Key, float], *, seed: int = 0) -> Estimate:
    """The mean of `scores` with its noise."""
    return Estimate(*_described(scores, seed))


def difference(a: Mapping[Key, float], b: Mapping[Key, float], *, seed: int = 0) -> Difference:
    """The mean of b - a over the same prompts and seeds; other pictures in either are an error."""
    if a.keys() != b.keys():
        lacking = len(a.keys() ^ b.keys())
        what = f"{lacking} pictures have no counterpart; differences are taken pair by pair"
        raise ScorerError(what, hint="Score the same prompts and seeds with both.")
    gaps = {key: b[key] - score for key, score in a.items()}
    return Difference(*_described(gaps, seed), p=sign_flip(by_prompt(gaps), seed=seed))


def table(scores: Sequence[float] | Sequence[Sequence[float]] | np.ndarray) -> dict[Key, float]:
    """Scores by prompt and picture, of an array [prompts, pictures], or [prompts] of means."""
    rows = np.asarray(scores, dtype=np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    return {(place, at): float(one) for place, row in enumerate(rows) for at, one in enumerate(row)}


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, corrected so that all hold at once.

    The k-th smallest of m is multiplied by m - k + 1 and is at least the one before it (S. Holm,
    "A simple sequentially rejective multiple test procedure", 1979).
    """
    corrected = [1.0] * len(p_values)
    most = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = most
    return corrected


def by_prompt(scores: Mapping[Key, float]) -> np.ndarray:
    """The mean of each prompt's pictures, in the order that prompts first appear."""
    groups: dict[int, list[float]] = {}
    for (prompt, _), score in scores.items():
        groups.setdefault(prompt, []).append(score)
    return np.array([math.fsum(group) / len(group) for group in groups.values()])


def bootstrap(means: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """The mean of each resample [resamples] of as many prompts, drawn with replacement."""
    dice = np.random.default_rng(seed)
    size = len(means)
    chunk = max(1, _AT_ONCE // size)
    found = [
        means[dice.integers(size, size=(min(chunk, resamples - start), size))].mean(axis=1)
        for start in range(0, resamples, chunk)
    ]
    return np.concatenate(found)


def sign_flip(gaps: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """The two-sided p-value of the prompts' differences [prompts], by random changes of sign.

    (1 + hits) / (1 + resamples), so that it is never zero (Phipson & Smyth, 2010).
    """
    dice = np.random.default_rng(seed)
    observed = abs(gaps.sum()) * (1 - 1e-12)
    chunk = max(1, _AT_ONCE // len(gaps))
    hits = 0
    for start in range(0, resamples, chunk):
        count = min(chunk, resamples - start)
        signs = dice.integers(2, size=(count, len(gaps))) * 2.0 - 1.0
        hits += int((np.abs(signs @ gaps) >= observed).sum())
    return (1 + hits) / (1 + resamples)


def _described(
    scores: Mapping[Key, float], seed: int
) -> tuple[float, float, float, float, int, int]:
    if not scores:
        raise ScorerError("there are no scores to describe")
    means = by_prompt(scores)
    mean = math.fsum(means) / len(means)
    if len(means) == 1:
        return mean, math.nan, math.nan, math.nan, 1, len(scores)
    stderr = float(means.std(ddof=1)) / math.sqrt(len(means))
    low, high = _interval(bootstrap(means, seed=seed))
    return mean, stderr, low, high, len(means), len(scores)


def _interval(resampled: np.ndarray) -> Sequence[float]:
    ends = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(end) for end in ends]
