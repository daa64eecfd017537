"""The nearest Kronecker product, against the SVD of the blocks in float64."""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdmerge.bounds import Bounds
from sdmerge.kronecker import cut_right, nearest_kronecker, rearranged
from sdmerge.lowrank import Factors
from sdmerge.sketch import approximate


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def blocks(matrix: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """The blocks one by one, each as a row."""
    found = [
        matrix[r * rows[1] : (r + 1) * rows[1], c * columns[1] : (c + 1) * columns[1]].reshape(-1)
        for r in range(rows[0])
        for c in range(columns[0])
    ]
    return torch.stack(found)


SIZES = [((4, 6), (3, 8)), ((8, 16), (8, 20)), ((1, 7), (2, 5)), ((12, 30), (12, 36))]


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_it_is_the_leading_singular_pair_of_the_blocks(
    rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    matrix = noise(rows[0] * rows[1], columns[0] * columns[1])
    every = blocks(matrix, rows, columns)
    assert torch.equal(rearranged(matrix, rows, columns), every)
    sigma = torch.linalg.svdvals(every.double())
    left, right = nearest_kronecker(matrix, rows, columns)
    assert (left.shape, right.shape) == ((rows[0], columns[0]), (rows[1], columns[1]))
    off = (matrix.double() - torch.kron(left.double(), right.double())).norm()
    least = sigma[1:].norm()
    # a sketch of noise, the worst there is, comes within a few percent
    assert float(least) * (1 - 1e-6) <= float(off) <= float(least) * 1.02 + 1e-6


def test_what_is_a_product_is_found_again() -> None:
    left, right = noise(16, 12), noise(20, 24, seed=1)
    whole = torch.kron(left, right)
    one, other = nearest_kronecker(whole, (16, 20), (12, 24))
    assert torch.allclose(torch.kron(one, other), whole, atol=1e-5)


def test_a_right_factor_of_low_rank_is_fitted_with_the_left() -> None:
    rows, columns = (4, 24), (4, 30)
    matrix = noise(96, 120)
    left, right = nearest_kronecker(matrix, rows, columns)
    start = approximate(right, Bounds(rank=3))
    found, cut = cut_right(matrix, rows, columns, start)
    assert cut.rank == 3

    def off(one: Tensor, other: Factors) -> float:
        product = torch.kron(one.double(), other.up.double() @ other.down.double())
        return float((matrix.double() - product).norm())

    assert off(found, cut) < off(left, start)
    # neither has a better one for the other
    second = (cut.up.double() @ cut.down.double()).reshape(-1)
    best = rearranged(matrix, rows, columns).double() @ second / second.square().sum()
    assert torch.allclose(found.double().reshape(-1), best, atol=1e-6)


def test_of_nothing() -> None:
    left, right = nearest_kronecker(torch.zeros(6, 8), (2, 3), (2, 4))
    assert not torch.kron(left, right).any()
