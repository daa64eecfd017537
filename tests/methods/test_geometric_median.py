"""The geometric median: optimal by the first-order condition, in the coordinates themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, merge, rows

shares = st.integers(1, 8).map(lambda n: n / 2)


def median(inputs: list[Row], *weight: float) -> np.ndarray:
    return merge("geometric_median", inputs, weight=tuple(weight or (1.0 for _ in inputs)))


def point(*entries: float) -> Row:
    return [*entries, *[0.0] * (COUNT - len(entries))]


@given(st.lists(rows, min_size=3, max_size=5), st.lists(shares, min_size=5, max_size=5))
def test_the_unit_pulls_balance(inputs: list[Row], drawn: list[float]) -> None:
    """Convex, so that this is enough: Σ wᵢ·(θᵢ-θ)/‖θᵢ-θ‖ is zero, or no more than wₖ at θ = θₖ."""
    weight = np.array(drawn[: len(inputs)])
    found = median(inputs, *weight)
    away = np.array(inputs) - found
    distance = np.linalg.norm(away, axis=1)
    at = distance <= 1e-4 * max(1.0, distance.max())
    pull = (weight[~at] / distance[~at]) @ away[~at]
    assert np.linalg.norm(pull) <= weight[at].sum() + 1e-4 * weight.sum()
    if at.any():
        np.testing.assert_allclose(found, np.float32(inputs[int(at.argmax())]), atol=1e-6)


def test_an_equilateral_triangle_has_its_centre() -> None:
    corners = [point(0, 0), point(1, 0), point(0.5, 0.75**0.5)]
    np.testing.assert_allclose(median(corners)[:2], [0.5, 0.75**0.5 / 3], atol=1e-6)


def test_an_obtuse_corner_is_the_median_itself() -> None:
    """Beyond 120° the corner wins, to the bit; a little below it does not."""
    corners = [point(0, 0), point(1, 0), point(-1, 1.7)]
    np.testing.assert_array_equal(median(corners), corners[0])
    assert median([point(0, 0), point(1, 0), point(-1, 1.8)])[1] > 0.001


def test_one_far_model_pulls_no_harder_than_a_near_one() -> None:
    near = [point(0, 0), point(1, 0), point(0, 1), point(1, 1.1)]
    far = [*near, point(1e4, 1e4)]
    assert np.linalg.norm(median(far) - median(near)) < 0.5
    assert np.linalg.norm(np.mean(far, 0) - np.mean(near, 0)) > 1000


@pytest.mark.parametrize(
    ("weight", "wanted"), [((1.0, 1.0), 1.5), ((1.0, 1.1), 2.0), ((1.1, 1.0), 1.0)]
)
def test_of_two_models_the_heavier_wins(weight: tuple[float, float], wanted: float) -> None:
    found = median([point(1.0), point(2.0)], *weight)
    np.testing.assert_allclose(found, point(wanted), rtol=1e-6)


def test_on_a_line_it_is_the_median_of_numbers() -> None:
    numbers = [3.0, -1.0, 7.0, 4.0]
    np.testing.assert_allclose(median([point(x) for x in numbers]), point(3.5), rtol=1e-6)
    np.testing.assert_allclose(median([point(x) for x in numbers[:3]]), point(3.0), rtol=1e-6)


def test_equal_models_count_together() -> None:
    a, b, c = point(0, 0), point(1, 0), point(0.2, 1)
    np.testing.assert_array_equal(median([a, a, b]), a)
    np.testing.assert_allclose(median([a, b, a, b]), point(0.5), rtol=1e-6)
    np.testing.assert_allclose(median([a, a, b, c]), median([a, b, c], 2.0, 1.0, 1.0), atol=1e-6)
    np.testing.assert_array_equal(median([c, c, c]), np.float32(c))


def test_no_weights_are_equal_weights_and_a_weight_of_zero_is_no_vote() -> None:
    inputs = [point(0, 0), point(1, 0), point(0.3, 0.9)]
    np.testing.assert_array_equal(median(inputs, 0.0, 0.0, 0.0), median(inputs))
    with_idle = median([*inputs, point(9, 9)], 1.0, 1.0, 1.0, 0.0)
    np.testing.assert_allclose(with_idle, median(inputs), atol=1e-6)
    between = median([point(0), point(1), point(0.1)], 1.0, 1.0, 0.0)
    np.testing.assert_allclose(between, point(0.5), rtol=1e-6)


@given(st.lists(rows, min_size=3, max_size=3), rows)
def test_it_moves_with_the_models(inputs: list[Row], shift: Row) -> None:
    assume(np.linalg.matrix_rank(np.array(inputs[1:]) - inputs[0]) == 2)
    moved = [(np.array(row) + shift).tolist() for row in inputs]
    np.testing.assert_allclose(median(moved), median(inputs) + shift, atol=2e-5)


def test_fine_tunes_that_hardly_differ() -> None:
    """Differences near float32's own steps: products of the models would not see them."""
    start = np.array([1.0 + place / 7 for place in range(COUNT)], np.float32)
    tunes = [start.copy() for _ in range(3)]
    tunes[1][3] = np.nextafter(start[3], np.float32(9))
    tunes[2][4] = np.nextafter(start[4], np.float32(9))
    found = median([tune.tolist() for tune in tunes])
    assert (np.abs(found - start) <= 2e-7 * start).all()
