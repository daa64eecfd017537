"""KnOTS: Stoica et al., 2024."""

from __future__ import annotations

import numpy as np
import pytest

from methods.reference import disjoint, kept_by_dare, trim
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
)

KEY = "unet.conv_in.weight"


def elect(factors: list[Matrix], shares: tuple[float, ...], divide: bool) -> Matrix:
    """The second half of TIES, entry by entry."""
    columns = zip(*(factor.reshape(-1).tolist() for factor in factors), strict=True)
    merged = [disjoint(column, shares, "after", divide) for column in columns]
    return np.array(merged).reshape(factors[0].shape)


def factors_of(deltas: list[Matrix]) -> tuple[Matrix, list[Matrix]]:
    """U and the ΣVᵢᵀ of the deltas side by side."""
    matrices = flat(deltas)
    left, values, right = svd(np.hstack(matrices))
    return left, np.split(values[:, None] * right, len(matrices), axis=1)


@pytest.mark.parametrize("shape", [*SHAPES, (20, 3)])
@pytest.mark.parametrize("divide", [True, False])
def test_knots_is_ties_on_the_right_factors(shape: tuple[int, ...], divide: bool) -> None:
    deltas, shares, densities = draw(3, shape), (0.5, 1.0, -0.75), (0.25, 0.5, 1.0)
    left, factors = factors_of(deltas)
    trimmed = [
        np.array(trim(factor.reshape(-1).tolist(), share)).reshape(factor.shape)
        for factor, share in zip(factors, densities, strict=True)
    ]
    wanted = 0.5 * left @ elect(trimmed, shares, divide)
    found = merge("knots", deltas, weight=shares, density=densities, normalize=divide, lambda_=0.5)
    close(found, wanted.reshape(shape))


@pytest.mark.parametrize("shape", [(8, 6), (4, 3, 3, 3), (20, 3), (7,)])
def test_knots_with_dare_drops_right_factors(shape: tuple[int, ...]) -> None:
    deltas, density = draw(2, shape), 0.5
    rows = [delta.reshape(1, -1) for delta in deltas] if len(shape) == 1 else deltas
    left, factors = factors_of(rows)
    dropped = [
        np.array([
            entry / density if kept_by_dare(0, KEY, name, place, density) else 0.0
            for place, entry in enumerate(factor.reshape(-1).tolist())
        ]).reshape(factor.shape)
        for name, factor in zip("ab", factors, strict=True)
    ]  # fmt: skip
    wanted = left @ elect(dropped, (1.0, 1.0), True)
    close(merge("knots", deltas, inner="dare_ties", density=density), wanted.reshape(shape))


@pytest.mark.parametrize("normalize", [True, False])
def test_knots_with_task_arithmetic_is_task_arithmetic(normalize: bool) -> None:
    """The paper says so: U and Σ stand outside of a sum."""
    deltas, shares = draw(3), (0.5, 1.0, 0.25)
    given = {"weight": shares, "normalize": normalize, "lambda_": 0.5}
    found = merge("knots", deltas, inner="task_arithmetic", **given)
    np.testing.assert_array_equal(found, merge("task_arithmetic", deltas, **given))
    left, factors = factors_of(deltas)
    summed = sum(share * factor for share, factor in zip(shares, factors, strict=True))
    close(found, 0.5 * left @ summed / (sum(shares) if normalize else 1))


@pytest.mark.parametrize("inner", ["ties", "dare_ties"])
def test_one_delta_kept_whole_stays_what_it_is(inner: str) -> None:
    (one,) = draw(1)
    close(merge("knots", [one], inner=inner, density=1.0), one, 1e-6)


def test_rotated_outputs_merge_to_the_rotated_result() -> None:
    """What plain TIES cannot say of itself: it looks at the coordinates that it is given."""
    deltas, left = draw(3), orthogonal(8)
    turned = merge("knots", [left @ delta for delta in deltas])
    close(turned, left @ merge("knots", deltas))
    assert (
        np.abs(merge("ties", [left @ d for d in deltas]) - left @ merge("ties", deltas)).max() > 0.1
    )


def test_a_weight_of_zero_takes_no_part() -> None:
    """Not in the basis either."""
    one, two, three = draw(3)
    found = merge("knots", [one, two, three], weight=(1.0, 1.0, 0.0))
    close(found, merge("knots", [one, two]), 1e-6)


def test_tasks_of_their_own_do_not_water_each_other_down() -> None:
    """Where one has learned nothing, rounding must not count as a vote."""
    one, two = np.zeros((8, 6)), np.zeros((8, 6))
    left = orthogonal(8)
    one[:4], two[4:] = draw(2, (4, 6))
    close(merge("knots", [left @ one, left @ two], density=1.0), left @ (one + two))


@pytest.mark.parametrize("shape", [(9,), (1,)])
def test_vectors_are_merged_as_they_are(shape: tuple[int, ...]) -> None:
    deltas, given = draw(3, shape), {"density": (0.5, 0.3, 0.2), "weight": (1.0, 0.5, 0.7)}
    close(merge("knots", deltas, **given), merge("ties", deltas, **given), 1e-6)


@pytest.mark.parametrize(("density", "kept"), [(0.07, 7), (0.29, 29), (0.001, 1), (0.0, 0)])
def test_the_share_kept_is_exact(density: float, kept: int) -> None:
    found = merge("knots", [np.arange(1.0, 101.0)], density=density)
    assert np.count_nonzero(found) == kept


def test_equal_singular_values_may_be_turned() -> None:
    rotations = [orthogonal(6, seed) for seed in range(3)]
    same_whatever_lapack_chooses("knots", rotations, density=0.5)
    same_whatever_lapack_chooses("knots", rotations, density=1.0, normalize=False)
    stairs = [u @ np.diag([2.0, 2, 2, 1, 0, 0]) for u in rotations[:1]]
    same_whatever_lapack_chooses("knots", stairs, density=0.4)
