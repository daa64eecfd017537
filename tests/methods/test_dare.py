"""DARE: Yu et al., 2024, with the masks drawn again in whole numbers."""

from __future__ import annotations

import math

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
    kept_by_dare,
    merge,
    models,
    rows,
    scales,
    weights,
)
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench

KEY = "unet.conv_in.weight"  # the bench's own
ZERO = [0.0] * COUNT


def drop(tau: Row, alias: str, density: float, *, rescale: bool) -> Row:
    """Eq. 2 of the paper: m ~ Bernoulli, then δ̂ = (1 - m)·δ / (1 - p)."""
    factor = 1 / density if rescale and density else 1.0
    return [
        entry * factor if kept_by_dare(0, KEY, alias, place, density) else 0.0
        for place, entry in enumerate(tau)
    ]


@given(rows, models(), st.data())
def test_dare_linear_drops_rescales_and_adds(
    base: Row, inputs: list[Row], data: st.DataObject
) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    densities = tuple(data.draw(eighths) for _ in inputs)
    scale, rescale, divide = (data.draw(s) for s in (scales, st.booleans(), st.booleans()))
    taus = [
        drop(tau, alias, density, rescale=rescale)
        for tau, alias, density in zip(deltas(inputs, base), "abcd", densities, strict=False)
    ]
    learned = np.tensordot(shares, np.array(taus), 1)
    if divide and sum(shares) != 0:
        learned = learned / sum(shares)
    found = merge(
        "dare_linear", inputs, base, weight=shares, density=densities, lambda_=scale,
        normalize=divide, rescale=rescale,
    )  # fmt: skip
    wanted = np.array(base) + scale * learned
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6 * max(1, np.abs(wanted).max()))


@given(rows, models(), st.data())
def test_dare_ties_votes_on_what_is_left(base: Row, inputs: list[Row], data: st.DataObject) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    # powers of two, so that the rescaled entries are exact and no vote hangs on their rounding
    densities = tuple(data.draw(st.sampled_from([1.0, 0.5, 0.25])) for _ in inputs)
    scale, rescale, divide = (data.draw(s) for s in (scales, st.booleans(), st.booleans()))
    vote = data.draw(st.sampled_from(["after", "before", "count"]))
    taus = [
        drop(tau, alias, density, rescale=rescale)
        for tau, alias, density in zip(deltas(inputs, base), "abcd", densities, strict=False)
    ]
    columns = zip(*taus, strict=True)
    merged = np.array([disjoint(column, shares, vote, divide) for column in columns])
    found = merge(
        "dare_ties", inputs, base, weight=shares, density=densities, lambda_=scale,
        normalize=divide, rescale=rescale, vote=vote,
    )  # fmt: skip
    np.testing.assert_allclose(found, np.array(base) + scale * merged, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("density", [0.05, 0.1, 0.5, 0.9])
def test_as_many_survive_as_the_density_says(density: float) -> None:
    count = 100_000
    ones, base = torch.ones(count), torch.zeros(count)
    merged = Bench(METHODS["dare_linear"]).merge([ones], base, {"density": density})
    kept = float((merged != 0).float().mean())
    assert abs(kept - density) < 5 * math.sqrt(density * (1 - density) / count)
    # what survives is as much larger as less survives: the expected delta stays the same
    assert merged[merged != 0].unique().tolist() == pytest.approx([1 / density])


def test_models_are_dropped_independently() -> None:
    count = 100_000
    ones, base = torch.ones(count), torch.zeros(count)
    half = {"density": 0.5, "rescale": False}
    merged = Bench(METHODS["dare_linear"]).merge([ones, ones], base, half)
    shares = [float((merged == survivors).float().mean()) for survivors in (0, 1, 2)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.01)


@pytest.mark.parametrize("name", ["dare_linear", "dare_ties"])
def test_density_one_drops_nothing_and_zero_everything(name: str) -> None:
    row = [float(place - 9) for place in range(COUNT)]
    np.testing.assert_array_equal(merge(name, [row], ZERO, density=1.0), row)
    np.testing.assert_array_equal(merge(name, [row], ZERO, density=0.0), ZERO)


def test_the_mask_belongs_to_the_alias_and_not_to_the_place() -> None:
    ones = torch.ones(1000)
    bench, base = Bench(METHODS["dare_linear"]), torch.zeros(1000)
    alone = bench.merge([ones], base, {"density": 0.5}, names=["ja"])
    beside = bench.merge(
        [ones, ones], base, {"density": 0.5, "weight": (0.0, 1.0)}, names=["a", "ja"]
    )
    assert torch.equal(alone, beside)
