"""TSV-Merge: Gargiulo et al., 2025."""

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


def tsv(deltas: list[Matrix]) -> Matrix:
    """The paper's steps, with P·Qᵀ for the whitening."""
    matrices = flat(deltas)
    kept = max(1, min(matrices[0].shape) // len(matrices))
    parts = [svd(matrix) for matrix in matrices]
    left = whiten(np.hstack([u[:, :kept] for u, _, _ in parts]))
    right = whiten(np.vstack([v[:kept] for _, _, v in parts]))
    values = np.concatenate([s[:kept] for _, s, _ in parts])
    return (left @ np.diag(values) @ right).reshape(deltas[0].shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_tsv_is_truncate_whiten_recompose(shape: tuple[int, ...], count: int) -> None:
    deltas = draw(count, shape)
    close(merge("tsv_merge", deltas), tsv(deltas))


def test_weights_scale_the_deltas_and_lambda_the_result() -> None:
    one, two = draw(2)
    found = merge("tsv_merge", [one, two], weight=(0.5, -1.5), lambda_=2.0)
    close(found, 2 * tsv([0.5 * one, -1.5 * two]))


def test_one_delta_stays_what_it_is() -> None:
    (one,) = draw(1)
    np.testing.assert_array_equal(merge("tsv_merge", [one]), one)


def test_tasks_that_share_no_direction_are_added_up() -> None:
    one, two = np.zeros((8, 6)), np.zeros((8, 6))
    one[:3, :3], two[3:, 3:] = draw(1, (3, 3))[0], draw(1, (5, 3))[0]
    close(merge("tsv_merge", [one, two]), one + two)


def test_a_task_given_twice_counts_once() -> None:
    """The authors' code adds a second copy of its spectrum in directions that nobody learned."""
    (one,) = draw(1)
    left, values, right = svd(one)
    close(merge("tsv_merge", [one, one]), left[:, :3] * values[:3] @ right[:3])


def test_opposite_tasks_cancel() -> None:
    (one,) = draw(1)
    np.testing.assert_allclose(merge("tsv_merge", [one, -one]), 0, atol=1e-6)


def test_what_takes_no_part_leaves_its_share_to_the_others() -> None:
    one, two = draw(2)
    zero = np.zeros_like(one)
    np.testing.assert_array_equal(merge("tsv_merge", [one, zero]), one)
    found = merge("tsv_merge", [one, two, draw(1)[0], zero], weight=(1.0, 1.0, 0.0, 1.0))
    np.testing.assert_array_equal(found, merge("tsv_merge", [one, two]))


def test_deltas_of_low_rank_keep_their_directions() -> None:
    """Without a singular value there is no vector, so nothing is whitened against noise."""
    lows = [np.outer(*np.split(row, [8])) for row in draw(2, (14,))]
    parts = [svd(low) for low in lows]
    left = whiten(np.hstack([u[:, :1] for u, _, _ in parts]))
    right = whiten(np.vstack([v[:1] for _, _, v in parts]))
    close(merge("tsv_merge", lows), left * [s[0] for _, s, _ in parts] @ right)


@pytest.mark.parametrize("shape", [(5,), (1,), ()])
def test_vectors_are_averaged(shape: tuple[int, ...]) -> None:
    one, two, three = draw(3, shape)
    close(merge("tsv_merge", [one, two, three]), (one + two + three) / 3, 1e-6)


def test_more_tasks_than_rank_keep_one_direction_each() -> None:
    deltas = draw(4, (9, 3))
    close(merge("tsv_merge", deltas), tsv(deltas))


def test_equal_singular_values_may_be_turned() -> None:
    rotations = [orthogonal(6, seed) for seed in range(2)]
    same_whatever_lapack_chooses("tsv_merge", rotations)
    # 2, 2, 2, 1, 1, 1: the cut lies between, and nothing is cut apart
    stairs = [u @ np.diag([2.0, 2, 2, 1, 1, 1]) @ u.T for u in rotations]
    same_whatever_lapack_chooses("tsv_merge", stairs)
