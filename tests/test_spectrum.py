"""Singular values and vectors: numpy's, but for what LAPACK is free to choose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from methods.spectral import close, draw, orthogonal, whiten
from methods.spectral import svd as numpy_svd

from sdmerge.spectrum import as_matrix, basis, noise_floor, orthonormal, svd


def matrix(shape: tuple[int, int], seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(draw(1, shape, seed)[0])


def with_values(*values: float, rows: int = 8, columns: int = 6) -> torch.Tensor:
    """A matrix with these singular values, and zeros."""
    core = np.zeros((rows, columns))
    np.fill_diagonal(core, [*values, *[0.0] * (min(rows, columns) - len(values))])
    return torch.from_numpy(orthogonal(rows, 1) @ core @ orthogonal(columns, 2))


@pytest.mark.parametrize("shape", [(8, 6), (6, 8), (7, 7), (1, 5), (5, 1), (1, 1)])
def test_svd_is_numpys(shape: tuple[int, int]) -> None:
    given = matrix(shape)
    found = svd(given)
    _, values, _ = numpy_svd(given.numpy())
    close(found.values.numpy(), values, 1e-12)
    close((found.left * found.values @ found.right).numpy(), given.numpy(), 1e-12)
    for vectors in (found.left.T, found.right):
        close((vectors @ vectors.T).numpy(), np.eye(min(shape)), 1e-9)


@pytest.mark.parametrize("shape", [(8, 6), (6, 8)])
def test_svd_of_few_is_the_best_of_that_rank(shape: tuple[int, int]) -> None:
    given = matrix(shape)
    left, values, right = numpy_svd(given.numpy())
    found = svd(given, 2)
    close((found.left * found.values @ found.right).numpy(), left[:, :2] * values[:2] @ right[:2])
    assert len(svd(given, 0).values) == 0
    assert len(svd(given, 99).values) == 6


def test_equal_values_are_not_cut_apart() -> None:
    given = with_values(3, 2, 2, 2, 1)
    assert [len(svd(given, count).values) for count in range(7)] == [0, 1, 4, 4, 4, 5, 5]


@pytest.mark.parametrize("turned", [False, True])
def test_zeros_and_rounding_have_no_vectors(turned: bool) -> None:
    low = with_values(3, 2)
    rounded = low.float().double()
    for given in (low, rounded, 1e-30 * rounded):
        assert len(svd(given.T if turned else given).values) == 2
    assert len(svd(torch.zeros(8, 6).double()).values) == 0


def test_small_values_are_no_rounding() -> None:
    assert len(svd(with_values(3, 2, 1e-3, 3e-4)).values) == 4


def test_the_floor_is_that_of_the_inputs() -> None:
    one = matrix((8, 6))
    noise = (one + 1e-7 * matrix((8, 6), 1)) - one
    assert len(svd(noise).values) == 6
    assert len(svd(noise, floor=noise_floor(one, one)).values) == 0


@pytest.mark.parametrize("shape", [(8, 6), (6, 8), (7, 7)])
def test_orthonormal_is_the_polar_factor(shape: tuple[int, int]) -> None:
    given = matrix(shape)
    close(orthonormal(given).numpy(), whiten(given.numpy()), 1e-10)


def test_dependent_columns_span_no_more_than_they_do() -> None:
    columns = torch.from_numpy(orthogonal(8)[:, :2].copy())
    twice = torch.cat([columns, columns], dim=1)
    close(orthonormal(twice).numpy(), twice.numpy() / np.sqrt(2), 1e-10)
    nearly = twice + 1e-5 * matrix((8, 4))
    close(orthonormal(nearly).numpy(), twice.numpy() / np.sqrt(2), 1e-4)


def test_the_basis_is_that_of_the_svd() -> None:
    given = matrix((6, 20))
    left, _, _ = numpy_svd(given.numpy())
    close(np.abs(basis(given).numpy().T @ left), np.eye(6), 1e-9)


@pytest.mark.parametrize("values", [(2, 2, 2, 1), (1,) * 6, (3, 1, 1), (4, 4, 1, 1, 0.5, 0.5)])
def test_the_basis_of_equal_values_depends_on_the_matrix_alone(values: tuple[float, ...]) -> None:
    given = with_values(*values)
    wanted = basis(given)
    close((wanted.T @ wanted).numpy(), np.eye(len(values)), 1e-9)
    kept = wanted @ wanted.T @ given
    close(kept.numpy(), given.numpy(), 1e-9)
    for seed in range(5):
        nudged = basis(given + 1e-14 * matrix((8, 6), seed))
        close(np.abs((nudged.T @ wanted).numpy()), np.eye(len(values)), 1e-6)


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        ((4, 3, 3, 3), (4, 27)),
        ((4, 3, 1, 1), (4, 3)),
        ((4, 3), (4, 3)),
        ((5,), (1, 5)),
        ((), (1, 1)),
    ],
)
def test_tensors_as_matrices(shape: tuple[int, ...], seen: tuple[int, int]) -> None:
    found = as_matrix(torch.ones(shape))
    assert (found.shape, found.dtype) == (seen, torch.float64)
