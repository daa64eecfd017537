"""DELLA: Deep et al., 2024: ranks, chances and masks in plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import (
    COUNT,
    SHAPE,
    Row,
    deltas,
    disjoint,
    eighths,
    few,
    kept_by_dare,
    merge,
    models,
    rows,
    scales,
    weights,
)
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, noise

KEY = "unet.conv_in.weight"  # the bench's own
ZERO = [0.0] * COUNT


def chances(tau: Row, density: float, epsilon: float) -> Row:
    """Per row from density - ε (rank 0) to density + ε; of equals the earlier ranks lower."""
    reach = min(epsilon, density, 1 - density)
    found: Row = []
    for start in range(0, COUNT, SHAPE[1]):
        row = [abs(entry) for entry in tau[start : start + SHAPE[1]]]
        for place, entry in enumerate(row):
            rank = sum(other < entry for other in row) + row[:place].count(entry)
            found.append(density - reach + 2 * reach * rank / (len(row) - 1))
    return found


def magprune(tau: Row, alias: str, density: float, epsilon: float, *, rescale: bool) -> Row:
    return [
        (entry / chance if rescale else entry)
        if kept_by_dare(0, KEY, alias, place, chance)
        else 0.0
        for place, (entry, chance) in enumerate(
            zip(tau, chances(tau, density, epsilon), strict=True)
        )
    ]


@given(rows, models(rows | few), st.data(), st.booleans(), st.booleans())
def test_della_linear_drops_rescales_and_adds(
    base: Row, inputs: list[Row], data: st.DataObject, rescale: bool, divide: bool
) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    densities = tuple(data.draw(eighths) for _ in inputs)
    reaches = tuple(data.draw(eighths) / 2 for _ in inputs)
    scale = data.draw(scales)
    taus = [
        magprune(tau, alias, density, reach, rescale=rescale)
        for tau, alias, density, reach in zip(
            deltas(inputs, base), "abcd", densities, reaches, strict=False
        )
    ]
    learned = np.tensordot(shares, np.array(taus), 1)
    if divide and sum(shares) != 0:
        learned = learned / sum(shares)
    found = merge(
        "della_linear", inputs, base, weight=shares, density=densities, epsilon=reaches,
        lambda_=scale, rescale=rescale, normalize=divide,
    )  # fmt: skip
    wanted = np.array(base) + scale * learned
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6 * max(1, np.abs(wanted).max()))


@given(rows, models(), st.data(), st.booleans(), st.booleans())
def test_della_votes_on_what_is_left(
    base: Row, inputs: list[Row], data: st.DataObject, rescale: bool, divide: bool
) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    # equal chances of a power of two: no vote hangs on the rounding of a rescaled entry
    density = data.draw(st.sampled_from([1.0, 0.5, 0.25]))
    vote = data.draw(st.sampled_from(["after", "before", "count"]))
    scale = data.draw(scales)
    taus = [
        magprune(tau, alias, density, 0.0, rescale=rescale)
        for tau, alias in zip(deltas(inputs, base), "abcd", strict=False)
    ]
    merged = np.array(
        [disjoint(column, shares, vote, divide) for column in zip(*taus, strict=True)]
    )
    found = merge(
        "della", inputs, base, weight=shares, density=density, epsilon=0.0, lambda_=scale,
        rescale=rescale, normalize=divide, vote=vote,
    )  # fmt: skip
    np.testing.assert_allclose(found, np.array(base) + scale * merged, rtol=1e-5, atol=1e-5)


def test_della_drops_with_the_chances_of_della_linear() -> None:
    learned, base = noise((40, 30), 1), torch.zeros(40, 30)
    alone = [Bench(METHODS[name]).merge([learned], base) for name in ("della", "della_linear")]
    np.testing.assert_allclose(alone[0], alone[1], rtol=1e-6)
    assert 0.6 < float((alone[0] != 0).float().mean()) < 0.8


def survival(density: float, epsilon: float, *, rescale: bool) -> torch.Tensor:
    """2000 rows of the magnitudes 1, 2, …, 50, merged."""
    learned = torch.arange(1.0, 51.0).repeat(2000, 1)
    values = {"density": density, "epsilon": epsilon, "rescale": rescale}
    return Bench(METHODS["della_linear"]).merge([learned], torch.zeros_like(learned), values)


@pytest.mark.parametrize(("density", "epsilon"), [(0.5, 0.3), (0.9, 0.05), (0.2, 0.2)])
def test_large_entries_survive_more_often(density: float, epsilon: float) -> None:
    merged = survival(density, epsilon, rescale=False)
    kept = (merged != 0).double().mean(dim=0)
    wanted = torch.linspace(density - epsilon, density + epsilon, 50, dtype=torch.float64)
    assert float((kept - wanted).abs().max()) < 5 * math.sqrt(0.25 / 2000)
    assert float(kept.mean()) == pytest.approx(density, abs=5 * math.sqrt(0.25 / 100_000))


def test_the_expected_delta_stays_the_same() -> None:
    merged = survival(0.5, 0.3, rescale=True)
    found = merged.double().mean(dim=0) / torch.arange(1.0, 51.0)
    # the smallest entry has the chance 0.2: variance (1 - 0.2) / 0.2
    assert float((found - 1).abs().max()) < 5 * math.sqrt(4 / 2000)


@pytest.mark.parametrize("name", ["della", "della_linear"])
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_density_one_drops_nothing_and_zero_everything(name: str, epsilon: float) -> None:
    row = [float(place - 9) for place in range(COUNT)]
    whole, none = (merge(name, [row], ZERO, density=d, epsilon=epsilon) for d in (1.0, 0.0))
    np.testing.assert_array_equal(whole, row)
    np.testing.assert_array_equal(none, ZERO)


@pytest.mark.parametrize("shape", [(), (1,), (5, 1), (3, 1, 1, 1)])
def test_a_row_of_one_entry_has_the_density_as_its_chance(shape: tuple[int, ...]) -> None:
    """mergekit divides 0 by 0 there."""
    values = {"density": 0.5, "epsilon": 0.2}
    drawn = [
        Bench(METHODS["della_linear"]).merge(
            [torch.ones(shape)], torch.zeros(shape), values, seed=seed
        )
        for seed in range(60)
    ]
    assert set(torch.stack(drawn).flatten().tolist()) == {0.0, 2.0}


def test_rows_of_a_convolution_are_its_outputs() -> None:
    learned = noise((6, 4, 3, 3), 1)
    bench, flat = Bench(METHODS["della_linear"]), learned.reshape(6, 36)
    merged = bench.merge([learned], torch.zeros_like(learned))
    assert torch.equal(merged.reshape(6, 36), bench.merge([flat], torch.zeros_like(flat)))
