"""Statistics: against formulas on small cases, and against draws whose truth is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from sdmerge.errors import ScorerError
from sdmerge.scoring.statistics import (
    bootstrap,
    by_prompt,
    difference,
    estimate,
    holm,
    sign_flip,
    table,
)


def keyed(rows: list[list[float]]) -> dict[tuple[int, int], float]:
    """Scores by prompt and seed, of a row per prompt."""
    return {(p, s): score for p, row in enumerate(rows) for s, score in enumerate(row)}


def test_every_prompt_counts_the_same() -> None:
    found = estimate(keyed([[1.0, 2.0, 6.0], [10.0]]))
    assert (found.mean, found.prompts, found.pictures) == (6.5, 2, 4)
    assert found.stderr == pytest.approx(np.std([3.0, 10.0], ddof=1) / math.sqrt(2))


def test_pictures_of_one_prompt_are_kin() -> None:
    """Repeating every picture tells nothing new: the noise stays, unlike with plain averages."""
    dice = np.random.default_rng(1)
    rows = dice.normal(size=(30, 1)).tolist()
    once, often = estimate(keyed(rows)), estimate(keyed([row * 8 for row in rows]))
    assert once.stderr == pytest.approx(often.stderr)
    assert (once.low, once.high) == pytest.approx((often.low, often.high))


def test_the_bootstrap_is_that_of_all_resamples() -> None:
    """Three prompts have 27 resamples: their distribution is known exactly."""
    means = np.array([0.0, 1.0, 5.0])
    drawn = bootstrap(means, resamples=200_000, seed=3)
    every = np.array([np.mean(one) for one in itertools.product(means, repeat=3)])
    for value in np.unique(every.round(9)):
        share = float(np.isclose(drawn, value).mean())
        assert share == pytest.approx(float(np.isclose(every, value).mean()), abs=0.005)


def test_chunks_leave_no_trace_and_the_seed_does() -> None:
    means = np.random.default_rng(0).normal(size=50_000)
    assert len(bootstrap(means, resamples=101)) == 101
    assert np.array_equal(bootstrap(means[:9]), bootstrap(means[:9]))
    assert not np.array_equal(bootstrap(means[:9]), bootstrap(means[:9], seed=1))


def test_intervals_cover_the_truth() -> None:
    """Of 300 experiments with 40 prompts of 3 pictures about 95 % of the intervals hold 0."""
    dice = np.random.default_rng(5)
    covered = 0
    for run in range(300):
        rows = dice.normal(size=(40, 1)) + 0.5 * dice.normal(size=(40, 3))
        found = estimate(keyed(rows.tolist()), seed=run)
        covered += found.low <= 0 <= found.high
    assert 0.90 <= covered / 300 <= 0.98


def test_differences_are_paired() -> None:
    """What prompts have in common falls out: the interval of the difference is far narrower."""
    dice = np.random.default_rng(2)
    a = dice.normal(scale=5, size=(50, 2))
    b = a + 0.3 + dice.normal(scale=0.1, size=(50, 2))
    found = difference(keyed(a.tolist()), keyed(b.tolist()))
    gaps = (b - a).mean(axis=1)
    assert found.mean == pytest.approx(gaps.mean())
    assert found.stderr == pytest.approx(gaps.std(ddof=1) / math.sqrt(50))
    assert 0.2 < found.low < 0.3 < found.high < 0.4
    assert estimate(keyed(a.tolist())).stderr > 20 * found.stderr
    with pytest.raises(ScorerError, match="2 pictures have no counterpart"):
        difference(keyed([[1.0]]), keyed([[1.0, 2.0], [3.0]]))


@pytest.mark.parametrize("gaps", [[1.0, 2.0, -0.5, 3.0, 0.7], [0.1, -0.2, 0.3, -0.1]])
def test_sign_flips_are_those_of_all_signs(gaps: list[float]) -> None:
    signs = itertools.product((-1, 1), repeat=len(gaps))
    sums = [abs(sum(s * g for s, g in zip(row, gaps, strict=True))) for row in signs]
    exact = np.mean([total >= abs(sum(gaps)) - 1e-9 for total in sums])
    assert sign_flip(np.array(gaps), resamples=100_000) == pytest.approx(float(exact), abs=0.01)


def test_sign_flips_agree_with_scipy_and_are_never_zero() -> None:
    gaps = np.random.default_rng(8).normal(0.3, size=25)
    theirs = stats.permutation_test((gaps,), np.sum, permutation_type="samples", rng=1)
    assert sign_flip(gaps) == pytest.approx(float(theirs.pvalue), abs=0.02)
    assert sign_flip(np.ones(60)) == 1 / 10_001


def test_one_prompt_tells_no_noise() -> None:
    found = estimate(keyed([[1.0, 3.0]]))
    assert (found.mean, found.prompts) == (2.0, 1)
    assert math.isnan(found.stderr)
    assert math.isnan(found.low)
    with pytest.raises(ScorerError, match="no scores"):
        estimate({})


def test_prompts_keep_their_order() -> None:
    scores = {(7, 0): 1.0, (2, 0): 5.0, (7, 1): 3.0}
    assert by_prompt(scores).tolist() == [2.0, 5.0]


def test_holm_by_hand() -> None:
    """Sorted 0.005 0.01 0.03 0.04: times 4, 3, 2, 1, and none below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.5, 0.9]) == pytest.approx([1.0, 1.0, 1.0])
    assert holm([0.02, 0.02]) == pytest.approx([0.04, 0.04])
    assert holm([]) == []


def test_holm_keeps_the_chance_of_any_error() -> None:
    """Of 2000 tables without a difference at most about 5 % show one; uncorrected, over 20 %."""
    p = np.random.default_rng(4).uniform(size=(2000, 6))
    assert np.mean([min(holm(row)) <= 0.05 for row in p.tolist()]) < 0.065
    assert np.mean(p.min(axis=1) <= 0.05) > 0.2


def test_arrays_are_tables() -> None:
    assert table([[1.0, 2.0], [3.0, 4.0]]) == {(0, 0): 1.0, (0, 1): 2.0, (1, 0): 3.0, (1, 1): 4.0}
    assert table(np.array([5.0, 6.0])) == {(0, 0): 5.0, (1, 0): 6.0}
    rows = np.random.default_rng(3).normal(size=(12, 4))
    every, means = (difference(table(0 * one), table(one)) for one in (rows, rows.mean(axis=1)))
    assert (every.mean, every.low, every.p) == pytest.approx((means.mean, means.low, means.p))
