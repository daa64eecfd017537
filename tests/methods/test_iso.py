"""Iso-C and Iso-CTS: Marczak et al., 2025."""

from __future__ import annotations

import numpy as np
import pytest

from methods.spectral import (
    SHAPES,
    Matrix,
    close,
    draw,
    flat,
    merge,
    orthogonal,
    same_whatever_lapack_chooses,
    svd,
    whiten,
)


def iso_c(deltas: list[Matrix]) -> Matrix:
    """Eq. 7 and 8."""
    left, values, right = svd(sum(flat(deltas)))
    return (values.mean() * left @ right).reshape(deltas[0].shape)


def iso_cts(deltas: list[Matrix], common: int, own: int) -> Matrix:
    """Eq. 10 to 13, for k = `common` and s = `own`."""
    matrices = flat(deltas)
    left, values, right = svd(sum(matrices))
    left, values, right = left[:, :common], values[:common], right[:common]
    lefts, all_values, rights = [left], [values], [right]
    for matrix in matrices:
        u, s, v = svd(matrix - left @ left.T @ matrix)
        lefts.append(u[:, :own])
        all_values.append(s[:own])
        rights.append(v[:own])
    merged = whiten(np.hstack(lefts)) @ whiten(np.vstack(rights))
    return (np.concatenate(all_values).mean() * merged).reshape(deltas[0].shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_iso_c_levels_the_sum(shape: tuple[int, ...], count: int) -> None:
    deltas = draw(count, shape)
    found = merge("iso_c", deltas)
    close(found, iso_c(deltas))
    values = svd(*flat([found]))[1]
    np.testing.assert_allclose(values, values.mean(), rtol=1e-5)


@pytest.mark.parametrize(
    ("fraction", "count", "common", "own"),
    [(0.8, 1, 8, 2), (0.8, 2, 8, 1), (0.5, 2, 6, 2), (0.5, 3, 4, 2), (0.0, 2, 0, 5),
     (0.3, 3, 4, 2), (0.0, 3, 1, 3), (0.0, 4, 2, 2), (0.9, 4, 10, 0)],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(10, 14), (14, 10)])
def test_iso_cts_makes_room_for_each_task(
    shape: tuple[int, ...], fraction: float, count: int, common: int, own: int
) -> None:
    """Room for tasks is a whole multiple of their number: the nearest that fits."""
    deltas = draw(count, shape)
    found = merge("iso_cts", deltas, common_space_fraction=fraction)
    close(found, iso_cts(deltas, common, own))


def test_iso_cts_of_convolutions() -> None:
    deltas = draw(2, (10, 3, 3, 3))
    close(merge("iso_cts", deltas), iso_cts(deltas, 8, 1))


@pytest.mark.parametrize("count", [1, 3])
def test_iso_cts_with_all_in_common_is_iso_c(count: int) -> None:
    deltas = draw(count)
    close(merge("iso_cts", deltas, common_space_fraction=1.0), iso_c(deltas))


@pytest.mark.parametrize("name", ["iso_c", "iso_cts"])
def test_weights_scale_the_deltas_and_lambda_the_result(name: str) -> None:
    one, two = draw(2)
    found = merge(name, [one, two], weight=(0.5, -1.5), lambda_=2.0)
    close(found, 2 * merge(name, [0.5 * one, -1.5 * two]), 1e-6)
    assert np.abs(found).max() > 0


@pytest.mark.parametrize("name", ["iso_c", "iso_cts"])
def test_rotated_deltas_merge_to_the_rotated_result(name: str) -> None:
    deltas, left, right = draw(3), orthogonal(8), orthogonal(6)
    turned = merge(name, [left @ delta @ right for delta in deltas])
    close(turned, left @ merge(name, deltas) @ right)


@pytest.mark.parametrize("name", ["iso_c", "iso_cts"])
def test_deltas_of_low_rank_keep_their_directions(name: str) -> None:
    """Two of rank 1 make rank 2, and the sum of the singular values stays."""
    lows = [np.outer(*np.split(row, [8])) for row in draw(2, (14,))]
    left, values, right = svd(lows[0] + lows[1])
    wanted = values[:2].mean() * left[:, :2] @ right[:2]
    close(merge(name, lows), wanted)


@pytest.mark.parametrize("name", ["iso_c", "iso_cts"])
def test_opposite_deltas_cancel(name: str) -> None:
    (one,) = draw(1)
    np.testing.assert_allclose(merge(name, [one, -one]), 0, atol=1e-6)
    noisy = (one * (1 + 1e-7)).astype(np.float32).astype(float)
    np.testing.assert_allclose(merge(name, [noisy, -one]), 0, atol=1e-6)


@pytest.mark.parametrize("name", ["iso_c", "iso_cts"])
@pytest.mark.parametrize("shape", [(5,), (1,), ()])
def test_vectors_are_averaged(name: str, shape: tuple[int, ...]) -> None:
    one, two, zero = *draw(2, shape), np.zeros(shape)
    close(merge(name, [one, two, zero]), (one + two) / 2, 1e-6)


@pytest.mark.parametrize("name", ["iso_c", "iso_cts"])
def test_equal_singular_values_may_be_turned(name: str) -> None:
    rotations = [orthogonal(6, seed) for seed in range(2)]
    same_whatever_lapack_chooses(name, rotations[:1])
    same_whatever_lapack_chooses(name, rotations)
    lows = [u[:, :2] @ u[:, :2].T for u in rotations]  # and four values of zero
    same_whatever_lapack_chooses(name, lows[:1])
    same_whatever_lapack_chooses(name, lows)
