"""PCB-Merging: Du et al., 2024, with the softmax written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, deltas, eighths, merge, models, rows, scales, weights
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, noise

ZERO = [0.0] * COUNT


def norm(products: Row) -> Row:
    low, high = min(products), max(products)
    return [(x - low) / (high - low) if high > low else 0.0 for x in products]


def softmax(values: Row) -> Row:
    whole = sum(math.exp(value) for value in values)
    return [math.exp(value) / whole for value in values]


def times(a: Row, b: Row) -> Row:
    return [x * y for x, y in zip(a, b, strict=True)]


def scores(taus: list[Row]) -> list[Row]:
    found: list[Row] = []
    for tau in taus:
        intra = softmax([len(taus) * x for x in norm(times(tau, tau))])
        inter = [softmax(norm(times(tau, other))) for other in taus]
        found.append(times(intra, [sum(column) for column in zip(*inter, strict=True)]))
    return found


def pcb(taus: list[Row], shares: tuple[float, ...], densities: tuple[float, ...]) -> Row:
    above, below = [0.0] * COUNT, [0.0] * COUNT
    for tau, share, density, beta in zip(taus, shares, densities, scores(taus), strict=True):
        kept = math.ceil(density * COUNT)
        least = sorted(beta, reverse=True)[kept - 1] if kept else math.inf
        for place, score in enumerate(beta):
            if score >= least * (1 - 1e-9):
                above[place] += score * share * tau[place]
                below[place] += score
    return [x / y if y else 0.0 for x, y in zip(above, below, strict=True)]


@given(rows, models(), st.data(), scales)
def test_pcb_scores_drops_and_averages(
    base: Row, inputs: list[Row], data: st.DataObject, scale: float
) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    densities = tuple(data.draw(eighths) for _ in inputs)
    merged = np.array(pcb(deltas(inputs, base), shares, densities))
    found = merge("pcb", inputs, base, weight=shares, density=densities, lambda_=scale)
    np.testing.assert_allclose(found, np.array(base) + scale * merged, rtol=1e-5, atol=1e-5)


def test_one_model_keeps_its_largest_entries() -> None:
    row = [float(place + 1) * (-1) ** place for place in range(COUNT)]
    found = merge("pcb", [row], ZERO, density=0.25)
    np.testing.assert_allclose(found, [*ZERO[:18], *row[18:]], rtol=1e-6)


def test_models_of_one_mind_keep_what_they_share() -> None:
    row = [float(place - 7) for place in range(COUNT)]
    np.testing.assert_allclose(merge("pcb", [row, row], ZERO, density=1.0), row, rtol=1e-6)


def test_where_no_entry_is_stronger_all_are_averaged() -> None:
    one, two = [2.0] * COUNT, [1.0] * COUNT
    np.testing.assert_allclose(merge("pcb", [one, two], ZERO), [1.5] * COUNT, rtol=1e-6)
    assert not merge("pcb", [ZERO, ZERO], ZERO).any()


@pytest.mark.parametrize("scale", [1e-6, 1e3])
def test_the_scale_of_the_deltas_plays_no_part(scale: float) -> None:
    inputs, base = [noise((40, 30), seed) for seed in (1, 2, 3)], torch.zeros(40, 30)
    bench = Bench(METHODS["pcb"])
    scaled = bench.merge([scale * row for row in inputs], base) / scale
    found, wanted = scaled.double(), bench.merge(inputs, base).double()
    # rounding may move an entry that lies on the edge of what is kept
    assert float(((found - wanted).abs() > 1e-5).double().mean()) <= 2 / 1200
