"""Arcee Fusion: importance, exact quantiles, and what is taken."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from methods.reference import COUNT, SHAPE, Row, merge, rows
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, noise


def softmax(row: Row) -> list[Decimal]:
    exponents = [Decimal(x).exp() for x in row]
    return [x / sum(exponents) for x in exponents]


def importances(a: list[Row], b: list[Row]) -> list[Row]:
    """With the divergence in 28 digits."""
    found: list[Row] = []
    for old, new in zip(a, b, strict=True):
        p, q = softmax(new), softmax(old)
        divergence = float(sum(x * (x / y).ln() for x, y in zip(p, q, strict=True)))
        found.append([abs(y - x) * divergence for x, y in zip(old, new, strict=True)])
    return found


def least(scores: list[Row], fence: float) -> float:
    """Median plus `fence` interquartile ranges, of numbers that occur."""
    ranked = sorted(score for row in scores for score in row)
    first, middle, third = (ranked[int(share * (len(ranked) - 1))] for share in (0.25, 0.5, 0.75))
    return middle + fence * (third - first)


def lines(row: Row, width: int) -> list[Row]:
    return [row[start : start + width] for start in range(0, len(row), width)]


@given(rows, rows, st.sampled_from([0.0, 0.5, 1.5, 3.0]))
def test_what_stands_out_is_taken(a: Row, b: Row, fence: float) -> None:
    scores = importances(lines(a, SHAPE[1]), lines(b, SHAPE[1]))
    bar, flat = least(scores, fence), np.array(scores).ravel()
    near = np.abs(flat - bar) < 1e-5 * np.abs(bar)
    assume(fence == 0 or not near.any())  # float32 may decide those either way
    found = merge("arcee_fusion", [a, b], fence=fence)
    wanted = np.where(flat >= bar, b, a)
    np.testing.assert_array_equal(found[~near], wanted[~near])


def test_a_bias_is_one_row_and_a_kernel_belongs_to_its_row() -> None:
    bench = Bench(METHODS["arcee_fusion"])
    for shape, flat in (((24,), (1, 24)), ((4, 2, 3, 3), (4, 18))):
        a, b = noise(shape, 1), noise(shape, 2)
        alone = bench.merge([a.reshape(flat), b.reshape(flat)]).reshape(shape)
        found = bench.merge([a, b])
        assert torch.equal(found, alone)
        assert 0 < int((found == b).sum()) < b.numel() / 2


def test_quantiles_are_exact_in_large_tensors() -> None:
    """mergekit draws a million of these at random; one row, so the change itself is ranked."""
    count = 1_500_000
    a, step = torch.zeros(count), torch.arange(count) / count
    found = Bench(METHODS["arcee_fusion"]).merge([a, step], values={"fence": 0.25})
    # the median is 0.5, the interquartile range 0.5
    assert int((found == 0).sum()) == pytest.approx(0.625 * count, abs=2)


def test_equal_models_and_few_changes() -> None:
    a = [float(place % 5) for place in range(COUNT)]
    np.testing.assert_array_equal(merge("arcee_fusion", [a, a]), a)
    b = [*a[:-3], 9.0, -9.0, 4.5]  # too few to move a quartile: all of them stand out
    np.testing.assert_array_equal(merge("arcee_fusion", [a, b]), b)


def test_small_changes_are_told_apart() -> None:
    """Divergences near 1e-13, which a softmax in float32 loses in its noise."""
    a, step = np.zeros(COUNT), (1 + np.arange(COUNT)) ** 1.5 / 2**22
    step = step.astype(np.float32).astype(float)
    scores = np.array(importances(lines(a.tolist(), 6), lines(step.tolist(), 6))).ravel()
    bar = least(lines(scores.tolist(), 6), 0.5)
    found = merge("arcee_fusion", [a.tolist(), step.tolist()], fence=0.5)
    np.testing.assert_array_equal(found != 0, scores >= bar)


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_huge_numbers_stay_finite(size: float) -> None:
    a, b = noise((6, 5), 1), size * noise((6, 5), 2)
    for pair in ([a, b], [b, a], [a, -b.abs()], [-b.abs(), b.abs()]):
        found = Bench(METHODS["arcee_fusion"]).merge(pair)
        assert ((found == pair[0]) | (found == pair[1])).all()
