"""How much of a matrix is kept: every bound against its definition."""

from __future__ import annotations

import pytest
import torch

from sdmerge.bounds import Bounds

SIGMA = torch.tensor([8.0, 4.0, 2.0, 1.0, 1.0, 0.0], dtype=torch.float64)
"""Squares 64, 16, 4, 1, 1, 0; sums 8, 12, 14, 15, 16."""


@pytest.mark.parametrize(
    ("bounds", "rank"),
    [
        (Bounds(), 5),
        (Bounds(rank=3), 3),
        (Bounds(rank=9), 5),
        (Bounds(energy=64 / 86), 1),
        (Bounds(energy=0.75), 2),
        (Bounds(energy=1.0), 5),
        (Bounds(energy=0.0), 1),
        (Bounds(error=1.0), 1),
        (Bounds(error=0.0), 5),
        (Bounds(error=(6 / 86) ** 0.5), 2),
        (Bounds(error=0.26), 3),
        (Bounds(ratio=0.25), 3),
        (Bounds(ratio=0.26), 2),
        (Bounds(ratio=0.0), 5),
        (Bounds(ratio=1.0), 1),
        (Bounds(quantile=0.5), 1),
        (Bounds(quantile=0.51), 2),
        (Bounds(quantile=14 / 16), 3),
        (Bounds(quantile=1.0), 5),
        (Bounds(ratio=0.25, energy=0.1), 3),
        (Bounds(ratio=1.0, quantile=0.9, rank=2), 2),
    ],
)
def test_the_smallest_rank_that_keeps_to_all(bounds: Bounds, rank: int) -> None:
    assert bounds.kept(SIGMA) == rank


def test_of_nothing_one_column_stays() -> None:
    zero = torch.zeros(3, dtype=torch.float64)
    for bounds in (Bounds(), Bounds(energy=0.9), Bounds(ratio=0.5), Bounds(quantile=0.5)):
        assert bounds.kept(zero) == 1


def test_a_rank_alone_is_fixed() -> None:
    assert Bounds(rank=4).is_fixed
    assert not Bounds(rank=4, energy=0.9).is_fixed
    assert not Bounds().is_fixed
