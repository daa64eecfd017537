"""Breadcrumbs: Davari and Belilovsky, 2024: sort, cut both ends."""

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
    few,
    merge,
    models,
    rows,
    scales,
    weights,
)
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench

ZERO = [0.0] * COUNT


def crumbs(tau: Row, density: float, gamma: float) -> Row:
    """What stays of the sorted magnitudes between both tails, and all that is as large."""
    kept = math.ceil(len(tau) * density)
    above = min(math.floor(len(tau) * gamma), len(tau) - kept)
    left = sorted((abs(entry) for entry in tau), reverse=True)[above : above + kept]
    return [entry if left and left[-1] <= abs(entry) <= left[0] else 0.0 for entry in tau]


@given(rows, models(rows | few), st.data(), st.booleans())
@pytest.mark.parametrize("name", ["breadcrumbs", "breadcrumbs_ties"])
def test_both_tails_are_cut(
    name: str, base: Row, inputs: list[Row], data: st.DataObject, divide: bool
) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    densities = tuple(data.draw(eighths) for _ in inputs)
    gammas = tuple(data.draw(eighths) for _ in inputs)
    scale = data.draw(scales)
    taus = [
        crumbs(tau, density, gamma)
        for tau, density, gamma in zip(deltas(inputs, base), densities, gammas, strict=True)
    ]
    settings = {"weight": shares, "density": densities, "gamma": gammas, "normalize": divide}
    if name == "breadcrumbs":
        learned = np.tensordot(shares, np.array(taus), 1)
        learned = learned / sum(shares) if divide and sum(shares) != 0 else learned
    else:
        settings["vote"] = data.draw(st.sampled_from(["after", "before", "count"]))
        learned = np.array(
            [
                disjoint(column, shares, settings["vote"], divide)
                for column in zip(*taus, strict=True)
            ]
        )
    found = merge(name, inputs, base, lambda_=scale, **settings)
    wanted = np.array(base) + scale * learned
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * max(1, np.abs(wanted).max()))


def survivors(count: int, density: float, gamma: float) -> list[float]:
    learned = torch.arange(1.0, count + 1)
    values = {"density": density, "gamma": gamma}
    merged = Bench(METHODS["breadcrumbs"]).merge([learned], torch.zeros(count), values)
    return merged[merged != 0].tolist()


@pytest.mark.parametrize(
    ("count", "density", "gamma", "low", "high"),
    [
        (100, 0.9, 0.01, 10, 99),  # mergekit's example: 1 % above and 9 % below are dropped
        (100, 0.07, 0.29, 65, 71),  # neither count is blurred by float32
        (50, 0.9, 0.01, 6, 50),  # less than one outlier is none; mergekit drops the whole delta
        (100, 1.0, 0.01, 1, 100),  # the density is kept whatever gamma says
        (100, 0.9, 0.5, 1, 90),
        (2, 0.5, 0.5, 1, 1),  # the smallest alone
        (1, 0.9, 0.01, 1, 1),
    ],
)
def test_the_counts_are_exact(
    count: int, density: float, gamma: float, low: int, high: int
) -> None:
    assert survivors(count, density, gamma) == [float(size) for size in range(low, high + 1)]


def test_the_smallest_alone_may_be_kept_of_one_model() -> None:
    first, second = [4.0, -1.0, *ZERO[2:]], [1.0, 2.0, *ZERO[2:]]
    for row in (first, second):  # of 24 entries 23 are dropped: a zero is the smallest
        assert not merge("breadcrumbs", [row], ZERO, density=1 / 24, gamma=1.0).any()
    low = [float(place + 1) for place in range(COUNT)]
    mixed = merge(
        "breadcrumbs", [low, low], ZERO, density=(1 / 24, 1.0), gamma=(1.0, 0.0), weight=(1.0, 0.0)
    )
    np.testing.assert_array_equal(mixed, [1.0, *ZERO[1:]])


def test_equal_magnitudes_are_no_outliers() -> None:
    """A short fine-tune in half precision moves most weights by one step of the dtype."""
    row = [0.5 * (-1) ** place for place in range(COUNT)]
    np.testing.assert_array_equal(merge("breadcrumbs", [row], ZERO, density=0.5, gamma=0.25), row)


@pytest.mark.parametrize("name", ["breadcrumbs", "breadcrumbs_ties"])
def test_density_zero_keeps_nothing(name: str) -> None:
    row = [float(place - 9) for place in range(COUNT)]
    assert not merge(name, [row], ZERO, density=0.0, gamma=0.0).any()
