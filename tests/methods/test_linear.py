"""Model soups: Wortsman et al., 2022."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, merge, models, weights


@given(models(), st.data(), st.booleans())
def test_linear_is_the_weighted_mean(inputs: list[Row], data: st.DataObject, divide: bool) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    wanted = np.tensordot(shares, np.array(inputs), 1)
    if divide and sum(shares) != 0:
        wanted = wanted / sum(shares)
    found = merge("linear", inputs, weight=shares, normalize=divide)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6 * max(1, np.abs(wanted).max()))


def test_a_uniform_soup_is_the_plain_mean() -> None:
    inputs = [[float(seed * place) for place in range(COUNT)] for seed in (1, 2, 6)]
    np.testing.assert_allclose(merge("linear", inputs), np.mean(inputs, 0), rtol=1e-6)


@pytest.mark.parametrize("factor", [0.25, 3.0, -1.0])
def test_only_the_ratios_of_normalised_weights_matter(factor: float) -> None:
    inputs = [[float(place) for place in range(COUNT)], [1.0] * COUNT]
    given_weights = (1.0 * factor, 0.5 * factor)
    found = merge("linear", inputs, weight=given_weights)
    np.testing.assert_allclose(found, merge("linear", inputs, weight=(1.0, 0.5)), rtol=1e-6)


def test_weights_that_cancel_are_added_and_not_divided() -> None:
    inputs = [[float(place) for place in range(COUNT)], [1.0] * COUNT]
    found = merge("linear", inputs, weight=(1.0, -1.0))
    np.testing.assert_array_equal(found, [place - 1.0 for place in range(COUNT)])
