"""TIES: Yadav et al., 2023, entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import (
    COUNT,
    Row,
    deltas,
    disjoint,
    eighths,
    few,
    merge,
    models,
    rows,
    scales,
    trim,
    weights,
)
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench

ZERO = [0.0] * COUNT


def fill(*entries: float) -> Row:
    """A row that begins with `entries` and is zero after them."""
    return [*entries, *[0.0] * (COUNT - len(entries))]


@given(rows, models(rows | few), st.data())
def test_ties_is_trim_elect_merge(base: Row, inputs: list[Row], data: st.DataObject) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    densities = tuple(data.draw(eighths) for _ in inputs)
    scale, divide = data.draw(scales), data.draw(st.booleans())
    vote = data.draw(st.sampled_from(["after", "before", "count"]))
    taus = [trim(tau, d) for tau, d in zip(deltas(inputs, base), densities, strict=True)]
    columns = zip(*taus, strict=True)
    merged = np.array([disjoint(column, shares, vote, divide) for column in columns])
    found = merge(
        "ties", inputs, base, weight=shares, density=densities, lambda_=scale, normalize=divide,
        vote=vote,
    )  # fmt: skip
    np.testing.assert_allclose(found, np.array(base) + scale * merged, rtol=1e-6, atol=1e-5)


@given(few, eighths)
def test_equal_magnitudes_are_kept_together(row: Row, density: float) -> None:
    found = merge("ties", [row], ZERO, density=density)
    np.testing.assert_array_equal(found, trim(row, density))
    dropped = {abs(x) for x in row} - {abs(x) for x in found}
    assert max(dropped, default=0.0) <= min((abs(x) for x in found if x), default=np.inf)


def test_density_one_keeps_all_and_zero_none() -> None:
    row = [float(place - 9) for place in range(COUNT)]
    np.testing.assert_array_equal(merge("ties", [row], ZERO, density=1.0), row)
    np.testing.assert_array_equal(merge("ties", [row], ZERO, density=0.0), ZERO)


@pytest.mark.parametrize(("density", "kept"), [(0.07, 7), (0.29, 29), (0.1, 10), (0.001, 1)])
def test_the_share_kept_is_not_blurred_by_float32(density: float, kept: int) -> None:
    learned = torch.arange(1.0, 101.0)
    merged = Bench(METHODS["ties"]).merge([learned], torch.zeros(100), {"density": density})
    assert int((merged != 0).sum()) == kept


def test_the_share_kept_is_exact_in_large_tensors() -> None:
    learned = torch.arange(1.0, 10_000_001.0)
    merged = Bench(METHODS["ties"]).merge([learned], torch.zeros(10**7), {"density": 0.1})
    assert int((merged != 0).sum()) == 10**6


def test_disagreeing_models_do_not_cancel() -> None:
    """The example of the paper's figure 1: the larger side wins, and is not watered down."""
    one, two, three = fill(4.0), fill(-1.0), fill(2.0)
    assert merge("ties", [one, two, three], ZERO, density=1.0)[0] == 3.0
    assert merge("ties", [one, two, three], ZERO, density=1.0, normalize=False)[0] == 6.0


def test_two_models_with_opposite_signs() -> None:
    one, two = fill(3.0), fill(-1.0)
    assert merge("ties", [one, two], ZERO, density=1.0)[0] == 3.0
    assert merge("ties", [one, two], ZERO, density=1.0, vote="count")[0] == 0.0


def test_weights_may_turn_the_vote() -> None:
    one, two = fill(3.0), fill(-2.0)
    turned = {"density": 1.0, "weight": (0.5, 1.0)}
    assert merge("ties", [one, two], ZERO, **turned)[0] == -2.0
    assert merge("ties", [one, two], ZERO, **turned, vote="before")[0] == 3.0


@pytest.mark.parametrize("vote", ["after", "before", "count"])
def test_a_negative_weight_forgets(vote: str) -> None:
    row = [float(place - 9) for place in range(COUNT)]
    found = merge("ties", [row], ZERO, density=1.0, weight=-1.0, vote=vote)
    np.testing.assert_array_equal(found, [-entry for entry in row])


def test_nearly_cancelling_weights_do_not_explode() -> None:
    """mergekit divides by the signed sum: 11.8 where the inputs' largest is 4.3."""
    inputs = [fill(4.3, 4.3), fill(-4.3, 4.3), fill(4.0, 4.0)]
    found = merge("ties", inputs, ZERO, density=1.0, weight=(0.5, -0.3, 1.0))
    assert np.abs(found).max() <= 4.3 + 1e-6


def test_weights_of_zero_change_nothing() -> None:
    row = [float(place) for place in range(COUNT)]
    np.testing.assert_array_equal(merge("ties", [row, row], ZERO, weight=0.0), ZERO)
