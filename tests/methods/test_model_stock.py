"""Model Stock: Jang et al., 2024."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, SHAPE, Row, deltas, merge, models, rows
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, noise

ZERO = [0.0] * COUNT


def stock(taus: list[Row]) -> Row:
    """t·mean(τ), t = N·cosθ / (1 + (N-1)·cosθ) with the mean of cosθ over all pairs, 0 at least."""
    count = len(taus)
    mean = [sum(column) / count for column in zip(*taus, strict=True)]
    if count == 1:
        return mean
    angles: list[float] = []
    for one, other in itertools.combinations(taus, 2):
        lengths = math.hypot(*one) * math.hypot(*other)
        inner = sum(x * y for x, y in zip(one, other, strict=True))
        angles.append(inner / lengths if lengths else 0.0)
    cos = max(0.0, sum(angles) / len(angles))
    return [count * cos / (1 + (count - 1) * cos) * entry for entry in mean]


@given(rows, models(), st.booleans())
def test_model_stock_goes_back_to_the_base(base: Row, inputs: list[Row], rowwise: bool) -> None:
    taus = deltas(inputs, base)
    width = SHAPE[1] if rowwise else COUNT
    wanted: Row = []
    for start in range(0, COUNT, width):
        wanted += stock([tau[start : start + width] for tau in taus])
    found = merge("model_stock", inputs, base, filter_wise=rowwise)
    np.testing.assert_allclose(found, np.array(base) + wanted, rtol=1e-5, atol=1e-5)


def at(degrees: float) -> Row:
    turn = math.radians(degrees)
    return [math.cos(turn), math.sin(turn), *ZERO[2:]]


@pytest.mark.parametrize(("angle", "t"), [(0.0, 1.0), (60.0, 2 / 3), (90.0, 0.0)])
def test_two_models_at_an_angle(angle: float, t: float) -> None:
    """Of two models: t = 2·cosθ / (1 + cosθ)."""
    one, other = at(0.0), at(angle)
    found = merge("model_stock", [one, other], ZERO)
    np.testing.assert_allclose(found, t * (np.array(one) + other) / 2, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("angles", [(0, 120, 240), (0, 154), (0, 180), (0, 100)])
def test_beyond_a_right_angle_the_base_stays(angles: tuple[float, ...]) -> None:
    """mergekit: minus infinity for three at 120°, t = -18 for two at 154°."""
    assert not merge("model_stock", [at(angle) for angle in angles], ZERO).any()


def test_tiny_deltas_have_angles_too() -> None:
    """mergekit takes 1e-6 for every smaller product of norms, and so an angle near 90°."""
    tau = [1e-5 * entry for entry in at(30.0)]
    np.testing.assert_allclose(merge("model_stock", [tau, tau], ZERO), tau, rtol=1e-5)


def test_one_model_is_taken_as_it_is_and_an_idle_one_stands_across() -> None:
    row = [float(place - 7) for place in range(COUNT)]
    np.testing.assert_allclose(merge("model_stock", [row], ZERO), row, rtol=1e-6)
    assert not merge("model_stock", [row, ZERO], ZERO).any()


@pytest.mark.parametrize("shape", [(), (1,), (24,)])
def test_a_bias_is_one_row(shape: tuple[int, ...]) -> None:
    inputs, bench = [noise(shape, seed) + 1 for seed in (1, 2)], Bench(METHODS["model_stock"])
    base = torch.zeros(shape)
    rowwise = bench.merge(inputs, base, {"filter_wise": True})
    np.testing.assert_allclose(rowwise, bench.merge(inputs, base), rtol=1e-6)
