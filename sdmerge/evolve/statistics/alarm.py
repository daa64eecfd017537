"""The over-fitting alarm: the search says that it gains, and other prompts do not.

At every validation the incumbent has two scores per prompt of the search's own scorer, on search
prompts and on validation prompts, and one of a second scorer on the validation prompts. Between an
earlier validation and now the search gained S, validation V. Two things go wrong, each with a test:

    prompts   V is less than half of S: what was gained belongs to these prompts and seeds
    judge     the second scorer's V is below zero: what was gained pleases one scorer only

Gains are means over prompts, so both are one-sided t-tests of V - share · S against zero, with
Welch's degrees of freedom. Every pair of validations is tested, and each test gets a part of LEVEL
such that all of them together, however long the search goes on, stay within it (Bonferroni): half
of LEVEL is shared equally by the pairs that are planned, and half by all there may ever be. So a
search that does not over-fit is disturbed once in twenty at most. And no alarm rises unless S
itself is above zero.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

LEVEL = 0.05
"""The chance of a false alarm in a whole search."""
SHARE = 0.5
"""The share of the search's gain that validation by the same scorer should show."""
_RISEN = 0.025

Kind = Literal["prompts", "judge"]


@dataclass(frozen=True, slots=True)
class Look:
    """A validation: the incumbent's scores, a number per prompt. The more the better.

    search: By the search's scorer on search prompts, by prompt, in a draw that did not choose the
        incumbent. Where two looks have the same prompts, they are compared prompt by prompt.
    validation: By the search's scorer on the validation prompts, always the same prompts and seeds.
    judge: By a second scorer on the same pictures; may be empty.
    """

    generation: int
    search: Mapping[Hashable, float]
    validation: Sequence[float]
    judge: Sequence[float] = field(default=())


@dataclass(frozen=True, slots=True)
class Alarm:
    """Since generation `since` the search gained `search`, validation only `validation`.

    p is the chance of this pair's gains without over-fitting, before any correction.
    """

    kind: Kind
    since: int
    generation: int
    search: float
    validation: float
    p: float

    def __str__(self) -> str:
        gained = f"since generation {self.since} search prompts gained {self.search:+.3g}"
        if self.kind == "judge":
            return f"{gained}, but the second scorer lost {self.validation:+.3g}: over-fitting"
        return f"{gained}, validation prompts {self.validation:+.3g}: over-fitting"


@dataclass(frozen=True, slots=True)
class _Gain:
    """A mean over prompts, the variance of that mean, and its degrees of freedom."""

    mean: float
    variance: float
    freedom: float


def overfitting(looks: Sequence[Look], planned: int) -> Alarm | None:
    """The most significant alarm of the last look against all before it, if there is one.

    `planned` is how many looks the whole search will take, 0 where nobody knows. The first look may
    be that of the best parent: then the gap to it is watched as well.
    """
    if len(looks) < 2:
        return None
    *before, now = looks
    level = _level(len(before), planned) / (2 if now.judge else 1)
    found = [alarm for then in before for alarm in _alarms(then, now) if alarm.p <= level]
    return min(found, key=lambda alarm: alarm.p, default=None)


def _level(before: int, planned: int) -> float:
    """What a test of a pair gets of LEVEL where `before` looks went before the last."""
    shared = 2 / (planned * (planned - 1)) if before < planned else 0.0
    # 1/(1·2) + 1/(2·3) + … = 1, each for as many pairs as there are looks before
    return LEVEL / 2 * (shared + 1 / (before * before * (before + 1)))


def _alarms(then: Look, now: Look) -> list[Alarm]:
    search = _search_gain(then, now)
    if search is None or _at_most(0.0, _minus(search)) > _RISEN:
        return []
    pairs: list[tuple[Kind, Sequence[float], Sequence[float], float]] = [
        ("prompts", then.validation, now.validation, SHARE)
    ]
    if then.judge and now.judge:
        pairs.append(("judge", then.judge, now.judge, 0.0))
    found: list[Alarm] = []
    for kind, one, other, share in pairs:
        gain = _paired(np.asarray(other, dtype=np.float64) - np.asarray(one, dtype=np.float64))
        if gain is not None:
            p = _at_most(share, gain, search)
            means = (search.mean, gain.mean)
            found.append(Alarm(kind, then.generation, now.generation, *means, p))
    return found


def _search_gain(then: Look, now: Look) -> _Gain | None:
    if then.search.keys() == now.search.keys():
        return _paired(np.array([now.search[key] - one for key, one in then.search.items()]))
    one, other = (_paired(np.array([*look.search.values()])) for look in (then, now))
    return None if one is None or other is None else _sum(other, _minus(one))


def _paired(gaps: np.ndarray) -> _Gain | None:
    """The mean of the prompts' gaps; None for a single prompt, which tells no noise."""
    count = len(gaps)
    if count < 2:
        return None
    return _Gain(float(gaps.mean()), float(gaps.var(ddof=1)) / count, count - 1)


def _at_most(share: float, gain: _Gain, search: _Gain | None = None) -> float:
    """The p-value of gain - share · search being this low if it is zero in truth."""
    # asked once in a while; every worker would wait for it
    from scipy.special import stdtr  # pyright: ignore[reportUnknownVariableType]

    if search is not None and share:
        scaled = _Gain(-share * search.mean, share**2 * search.variance, search.freedom)
        gain = _sum(gain, scaled)
    if not gain.variance:
        return 0.0 if gain.mean < 0 else 1.0
    return float(stdtr(gain.freedom, gain.mean / math.sqrt(gain.variance)))


def _sum(a: _Gain, b: _Gain) -> _Gain:
    """Of independent means, with the degrees of freedom of B. L. Welch (1947)."""
    variance = a.variance + b.variance
    parts = a.variance**2 / a.freedom + b.variance**2 / b.freedom
    freedom = variance**2 / parts if parts else a.freedom + b.freedom
    return _Gain(a.mean + b.mean, variance, freedom)


def _minus(gain: _Gain) -> _Gain:
    return _Gain(-gain.mean, gain.variance, gain.freedom)
