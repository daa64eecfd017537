"""Approximations of dense matrices: against numpy's own SVD, and against each other's bytes."""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sdmerge.bounds import Bounds
from sdmerge.lowrank import Factors
from sdmerge.sketch import approximate, squared_distance, squared_norm


def decaying(rows: int, columns: int, power: float, seed: int = 0) -> Tensor:
    """A matrix with the singular values 1, 2^-p, 3^-p, …"""
    source = np.random.default_rng(seed)
    left = np.linalg.qr(source.standard_normal((rows, min(rows, columns))))[0]
    right = np.linalg.qr(source.standard_normal((columns, min(rows, columns))))[0]
    sigma = np.arange(1.0, min(rows, columns) + 1) ** -power
    return torch.from_numpy((left * sigma) @ right.T).float()


def off(matrix: Tensor, factors: Factors) -> float:
    product = factors.up.double() @ factors.down.double() * factors.scale
    return float((matrix.double() - product).norm())


def least(matrix: Tensor, rank: int) -> float:
    """What Eckart and Young say no approximation of this rank can fall below."""
    return float(np.linalg.norm(np.linalg.svd(matrix.double().numpy(), compute_uv=False)[rank:]))


@pytest.mark.parametrize(("rows", "columns"), [(400, 160), (160, 400), (200, 200)])
@pytest.mark.parametrize("power", [0.2, 1.0])
def test_a_sketch_is_nearly_the_best_there_is(rows: int, columns: int, power: float) -> None:
    matrix = decaying(rows, columns, power)
    for rank in (1, 8, 24):
        found = approximate(matrix, Bounds(rank=rank))
        assert found.rank == rank
        assert off(matrix, found) <= 1.02 * least(matrix, rank)


@pytest.mark.parametrize(("rows", "columns"), [(60, 44), (44, 60)])
def test_what_is_no_sketch_is_the_best_there_is(rows: int, columns: int) -> None:
    matrix = decaying(rows, columns, 0.5)
    for rank in (4, 30, 44):
        found = approximate(matrix, Bounds(rank=rank))
        best = least(matrix, rank)
        assert off(matrix, found) <= best + 1e-5 * float(matrix.norm())
    found = approximate(matrix, Bounds(error=0.3))
    norm = float(matrix.double().norm())
    assert least(matrix, found.rank) <= 0.3 * norm < least(matrix, found.rank - 1)


def test_low_rank_is_found_again() -> None:
    source = torch.Generator().manual_seed(1)
    up, down = torch.randn(300, 6, generator=source), torch.randn(6, 200, generator=source)
    matrix = up @ down
    for bounds in (Bounds(rank=6), Bounds(rank=12), Bounds(error=1e-4)):
        found = approximate(matrix, bounds)
        assert off(matrix, found) <= 1e-5 * float(matrix.norm())
        if not bounds.is_fixed:
            assert found.rank == 6


def test_of_nothing_comes_nothing() -> None:
    for bounds in (Bounds(rank=2), Bounds(energy=0.5), Bounds()):
        found = approximate(torch.zeros(120, 90), bounds)
        assert off(torch.zeros(120, 90), found) == 0.0
        assert found.rank >= 1


def test_bytes_repeat() -> None:
    matrix = decaying(300, 140, 0.4)
    threads = torch.get_num_threads()
    first = approximate(matrix, Bounds(rank=8))
    try:
        torch.set_num_threads(3)
        # memory at an odd place, as a view of something larger has it
        moved = torch.cat([torch.zeros(1), matrix.reshape(-1)])[1:].reshape(300, 140)
        again = approximate(moved, Bounds(rank=8))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(first.up, again.up)
    assert torch.equal(first.down, again.down)


def test_norms_and_distances() -> None:
    matrix = decaying(130, 70, 0.3)
    found = approximate(matrix, Bounds(rank=5))
    assert math.sqrt(squared_norm(matrix)) == pytest.approx(float(matrix.double().norm()), 1e-6)
    scaled = Factors(found.up, found.down, 0.5)
    assert math.sqrt(squared_distance(matrix, scaled)) == pytest.approx(off(matrix, scaled), 1e-6)
