"""The nearest Kronecker product of a matrix, its second factor whole or of low rank.

Van Loan & Pitsianis 1993, "Approximation with Kronecker products"
(https://doi.org/10.1007/978-94-015-8196-7_17): ‖A - B ⊗ C‖ = ‖R - vec(B)·vec(C)ᵀ‖, where each row
of R is a block of A, so that the best B and C are the leading singular vectors of R.
"""

from __future__ import annotations

from torch import Tensor

from sdmerge.bounds import Bounds
from sdmerge.lowrank import Factors, aligned, dense, one_thread
from sdmerge.sketch import approximate

_ROUNDS = 4
"""Turns of both factors where the second is cut: each can only bring the product nearer."""

Sides = tuple[int, int]


def rearranged(matrix: Tensor, rows: Sides, columns: Sides) -> Tensor:
    """R [o₁·i₁, o₂·i₂]: of a matrix [o₁·o₂, i₁·i₂] a row for each block [o₂, i₂]."""
    blocks = matrix.reshape(*rows, *columns).permute(0, 2, 1, 3)
    return blocks.reshape(rows[0] * columns[0], rows[1] * columns[1])


def nearest_kronecker(matrix: Tensor, rows: Sides, columns: Sides) -> tuple[Tensor, Tensor]:
    """The factors [o₁, i₁] and [o₂, i₂] nearest to a float32 matrix [o₁·o₂, i₁·i₂]."""
    found = approximate(rearranged(matrix, rows, columns), Bounds(rank=1))
    return found.up.reshape(rows[0], columns[0]), found.down.reshape(rows[1], columns[1])


def cut_right(
    matrix: Tensor, rows: Sides, columns: Sides, right: Factors
) -> tuple[Tensor, Factors]:
    """The factors near a matrix with a right one of the rank that `right` has, which is a start.

    Either has a best one for the other: they are fitted in turn.
    """
    blocks, bounds = rearranged(matrix, rows, columns), Bounds(rank=right.rank)
    for _ in range(_ROUNDS):
        left = _fitted(blocks, dense(right))
        whole = _fitted(blocks.T, left)
        right = approximate(whole.reshape(rows[1], columns[1]), bounds)
    return _fitted(blocks, dense(right)).reshape(rows[0], columns[0]), right


@one_thread()
def _fitted(blocks: Tensor, other: Tensor) -> Tensor:
    """The x for which x·otherᵀ is nearest."""
    square = float(other.double().square().sum())
    product = aligned(blocks) @ aligned(other)
    return product / square if square else product
