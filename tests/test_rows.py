"""Rows: ranks against counting, inner products against matrix products."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sdmerge.rows import cosines, magnitude_ranks, row_gram


def numbers(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 40), st.booleans())
def test_ranks_count_what_is_smaller(seed: int, rows: int, width: int, wide: bool) -> None:
    values = numbers(seed, 2, rows, width).round(decimals=1)  # so that many are equal
    found = magnitude_ranks(values.double() if wide else values)
    for row, ranks in zip(values.abs().reshape(-1, width), found.reshape(-1, width), strict=True):
        listed = row.tolist()
        wanted = [
            sum(other < entry for other in listed) + listed[:place].count(entry)
            for place, entry in enumerate(listed)
        ]
        assert ranks.tolist() == wanted


def test_both_zeros_and_the_smallest_numbers_are_in_order() -> None:
    values = torch.tensor([[0.0, -0.0, 1e-45, -1e-40, 3e38, -2e38]])
    assert magnitude_ranks(values).tolist() == [[0, 1, 2, 3, 5, 4]]


def test_inner_products_of_each_row() -> None:
    stack = numbers(1, 3, 5, 17)
    wide = stack.double()
    wanted = torch.einsum("irw,jrw->ijr", wide, wide)
    np.testing.assert_allclose(row_gram(stack), wanted.numpy(), rtol=1e-12, atol=1e-12)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    stack = numbers(2, 2, 40, 1237)
    for start in (0, 7, 39):
        alone = row_gram(stack[:, start : start + 1])
        np.testing.assert_array_equal(alone, row_gram(stack)[:, :, start : start + 1])


def test_cosines_of_vectors_without_length_are_zero() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 1.0], [-2.0, 0.0], [0.0, 0.0]])
    products = vectors @ vectors.T
    half = 0.5**0.5
    wanted = [[1, half, -1, 0], [half, 1, -half, 0], [-1, -half, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(cosines(products), wanted, atol=1e-12)
    per_row = np.stack([products, 4 * products], axis=-1)
    np.testing.assert_allclose(cosines(per_row)[..., 1], wanted, atol=1e-12)
