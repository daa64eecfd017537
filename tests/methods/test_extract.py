"""extract: SuperMerger's formula, row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, SHAPE, Row, deltas, eighths, merge, rows
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench

ZERO = [0.0] * COUNT
WIDTH = SHAPE[1]
RAMP = [float(place - 7) for place in range(COUNT)]


def extracted(a: Row, b: Row, alpha: float, beta: float, gamma: float) -> Row:
    """One row: lerp(a, b, α) · lerp(d, 1-d, β), d = ((cos + 1)/2)^γ."""
    lengths = math.hypot(*a) * math.hypot(*b)
    cos = sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0
    near = ((min(1.0, max(-1.0, cos)) + 1) / 2) ** gamma
    factor = (1 - beta) * near + beta * (1 - near)
    return [((1 - alpha) * x + alpha * y) * factor for x, y in zip(a, b, strict=True)]


@given(rows, rows, rows, eighths, eighths, st.sampled_from([0.0, 0.3, 1.0, 2.0, 10.0]))
def test_extract_follows_the_formula(
    a: Row, b: Row, base: Row, alpha: float, beta: float, gamma: float
) -> None:
    tau_a, tau_b = deltas([a, b], base)
    wanted: Row = []
    for start in range(0, COUNT, WIDTH):
        row = slice(start, start + WIDTH)
        wanted += extracted(tau_a[row], tau_b[row], alpha, beta, gamma)
    found = merge("extract", [a, b], base, alpha=alpha, beta=beta, gamma=gamma)
    np.testing.assert_allclose(found, np.array(base) + wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("factor", "near"), [(2.0, 1.0), (-2.0, 0.0), (0.0, 0.25)])
def test_the_same_direction_the_opposite_and_none(factor: float, near: float) -> None:
    other = [factor * entry for entry in RAMP]
    alike = merge("extract", [RAMP, other], ZERO, alpha=0.0, beta=0.0, gamma=2.0)
    apart = merge("extract", [RAMP, other], ZERO, alpha=0.0, beta=1.0, gamma=2.0)
    np.testing.assert_allclose(alike, near * np.array(RAMP), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(apart, (1 - near) * np.array(RAMP), rtol=1e-6, atol=1e-6)


def test_a_row_is_one_output_in_a_convolution_too() -> None:
    """The last dimension of a 1×1 convolution would say ±1 for every number."""
    a = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).reshape(2, 2, 1, 1)
    b = torch.tensor([[1.0, -1.0], [1.0, 0.0]]).reshape(2, 2, 1, 1)
    values = {"alpha": 0.0, "beta": 0.0, "gamma": 1.0}
    found = Bench(METHODS["extract"]).merge([a, b], torch.zeros_like(a), values)
    assert found.flatten().tolist() == [0.5, 0.5, 1.0, 0.0]
