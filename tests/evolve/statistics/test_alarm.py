"""The alarm: its test against scipy, and its rates where the truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from sdmerge.evolve.statistics import Alarm, Look, overfitting

LOOKS = 12
Curve = Callable[[float], float]


def look(generation: int, search: np.ndarray, validation: np.ndarray, judge=()) -> Look:
    return Look(generation, dict(enumerate(search)), tuple(validation), tuple(judge))


def study(
    seed: int, search: Curve, validation: Curve, judge: Curve, prompts=(16, 24)
) -> list[Look]:
    """Scores of an incumbent whose quality moves along these curves from 0 to 1 of the search.

    Prompts have levels and gains of their own, and every picture its noise; a judge has another
    scale.
    """
    dice = np.random.default_rng(seed)
    level = [dice.normal(0.8, 0.1, size) for size in prompts]
    slope = [dice.normal(1.0, 0.4, size) for size in prompts]
    looks: list[Look] = []
    for at in np.linspace(0, 1, LOOKS):
        noisy = [one + dice.normal(0, 0.03, len(one)) for one in (level[0], level[1], level[1])]
        rows = [
            noisy[0] + slope[0] * search(at),
            noisy[1] + slope[1] * validation(at),
            3 * (noisy[2] + slope[1] * judge(at)),
        ]
        looks.append(look(len(looks), rows[0], rows[1], rows[2]))
    return looks


def alarm_of(looks: list[Look]) -> Alarm | None:
    """The first alarm of a search that looks as it goes."""
    found = (overfitting(looks[:count], LOOKS) for count in range(1, LOOKS + 1))
    return next((alarm for alarm in found if alarm is not None), None)


def rate(runs: int, *curves: Curve, prompts=(16, 24)) -> float:
    return np.mean(
        [alarm_of(study(run, *curves, prompts=prompts)) is not None for run in range(runs)]
    )


def rising(at: float) -> float:
    return 0.15 * (1 - np.exp(-4 * at))


def nothing(_: float) -> float:
    return 0.0


def peak(at: float) -> float:
    """Half the way with the search, and then down again."""
    return rising(at) if at < 0.4 else rising(0.4) - 0.12 * (at - 0.4)


@pytest.mark.parametrize(
    "curves",
    [
        (rising, rising, rising),
        (nothing, nothing, nothing),
        (rising, lambda at: 0.7 * rising(at), nothing),
    ],
    ids=["all rise", "nothing moves", "validation rises less, the judge sees nothing"],
)
def test_no_alarm_without_over_fitting(curves: tuple[Curve, Curve, Curve]) -> None:
    assert rate(60, *curves) <= 0.05


def test_no_alarm_on_few_prompts() -> None:
    assert rate(60, rising, rising, rising, prompts=(6, 8)) <= 0.05


@pytest.mark.parametrize(
    "curves",
    [(rising, nothing, nothing), (rising, peak, peak), (rising, rising, peak)],
    ids=["other prompts gain nothing", "other prompts turn", "the judge turns"],
)
def test_over_fitting_is_found(curves: tuple[Curve, Curve, Curve]) -> None:
    assert rate(30, *curves) >= 0.9


def test_the_kind_is_told() -> None:
    told = alarm_of(study(3, rising, rising, peak))
    assert told is not None
    assert told.kind == "judge"
    assert told.validation < 0 < told.search
    assert f"since generation {told.since} search prompts gained +" in str(told)
    other = alarm_of(study(3, rising, nothing, nothing))
    assert other is not None
    assert other.kind == "prompts"


def test_p_is_welchs() -> None:
    """V - S/2 of two looks as scipy's one-sided test of unequal variances sees it."""
    dice = np.random.default_rng(0)
    search, validation = dice.normal(1, 0.2, 9), dice.normal(0, 0.3, 14)
    found = overfitting(
        [look(0, np.zeros(9), np.zeros(14)), look(4, search, validation)], planned=2
    )
    assert found is not None
    expected = stats.ttest_ind(validation, search / 2, equal_var=False, alternative="less")
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.since, found.generation) == (0, 4)
    assert (found.search, found.validation) == pytest.approx((search.mean(), validation.mean()))


def test_other_search_prompts_are_compared_as_samples() -> None:
    dice = np.random.default_rng(1)
    before, after = dice.normal(0, 0.1, 12), dice.normal(1, 0.1, 20)
    validation = dice.normal(0, 0.1, 30)
    then = Look(0, {("old", n): one for n, one in enumerate(before)}, (0.0,) * 30)
    now = Look(1, {("new", n): one for n, one in enumerate(after)}, tuple(validation))
    found = overfitting([then, now], planned=2)
    assert found is not None
    assert found.search == pytest.approx(after.mean() - before.mean())


def test_too_little_to_tell() -> None:
    assert overfitting([], 5) is None
    assert overfitting([look(0, np.zeros(3), np.zeros(3))], 5) is None
    single = [look(n, np.array([n + 0.0]), np.array([-n + 0.0])) for n in range(3)]
    assert overfitting(single, 3) is None


def test_no_alarm_unless_the_search_rises() -> None:
    dice = np.random.default_rng(2)
    falling = -1 + dice.normal(0, 0.01, 20)
    then = look(0, np.zeros(20), np.zeros(20))
    assert overfitting([then, look(1, falling, falling * 3)], planned=2) is None
