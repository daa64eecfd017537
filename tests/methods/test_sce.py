"""SCE: Wan et al., 2024: select, calculate, erase, entry by entry."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, deltas, few, merge, models, rows
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, noise

ZERO = [0.0] * COUNT


def sce(taus: list[Row], topk: float) -> Row:
    columns = list(zip(*taus, strict=True))
    spread = [float(np.var(column)) for column in columns]
    moving = sum(value > 0 for value in spread)
    count = math.ceil(moving * topk)
    least = sorted(spread, reverse=True)[count - 1] if 0 < count < moving else 0.0
    chosen = [topk > 0 and value >= least * (1 - 1e-9) for value in spread]
    energy = [sum(tau[i] ** 2 for i in range(COUNT) if chosen[i]) for tau in taus]
    merged: Row = []
    for column, taken in zip(columns, chosen, strict=True):
        sign = np.sign(sum(column))
        agreeing = [(w, x) for w, x in zip(energy, column, strict=True) if taken and x * sign > 0]
        whole = sum(w for w, _ in agreeing)
        merged.append(sum(w * x for w, x in agreeing) / whole if whole else 0.0)
    return merged


@given(rows, models(rows | few), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]))
def test_sce_selects_calculates_and_erases(base: Row, inputs: list[Row], topk: float) -> None:
    wanted = np.array(base) + sce(deltas(inputs, base), topk)
    found = merge("sce", inputs, base, select_topk=topk)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_one_model_and_equal_models_are_taken_whole() -> None:
    row = [float(place - 7) for place in range(COUNT)]
    for inputs in ([row], [row, row]):
        np.testing.assert_allclose(merge("sce", inputs, ZERO), row, rtol=1e-6)


def test_models_that_learned_nothing_leave_the_base() -> None:
    assert not merge("sce", [ZERO, ZERO], ZERO).any()
    row = [float(place - 7) for place in range(COUNT)]
    # where one model alone learned something, it has all the weight
    np.testing.assert_allclose(merge("sce", [row, ZERO], ZERO, select_topk=1.0), row, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1e-6])
def test_small_deltas_are_weighed_like_large_ones(scale: float) -> None:
    """mergekit weighs all models alike where the mean squares are below 1e-6 together."""
    inputs, base = [noise((40, 30), 1), 3 * noise((40, 30), 2)], torch.zeros(40, 30)
    large = Bench(METHODS["sce"]).merge(inputs, base)
    small = Bench(METHODS["sce"]).merge([scale * row for row in inputs], base)
    np.testing.assert_allclose(small / scale, large, rtol=1e-4, atol=1e-5)


def test_as_many_are_selected_as_asked() -> None:
    inputs, base = [noise((40, 30), seed) for seed in (1, 2)], torch.zeros(40, 30)
    merged = Bench(METHODS["sce"]).merge(inputs, base, {"select_topk": 0.29})
    assert int((merged != 0).sum()) == 348
