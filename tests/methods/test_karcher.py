"""Karcher mean and multislerp: the weighted mean on the sphere, in the coordinates themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, merge, rows

shares = st.integers(0, 8).map(lambda n: n / 2)
METHODS = ("karcher", "multislerp")


def log(mean: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """The tangent at `mean` that leads to `unit`, as long as the arc."""
    across = unit - (unit @ mean) * mean
    sine = np.linalg.norm(across)
    return across * (np.arctan2(sine, unit @ mean) / sine) if sine > 1e-12 else 0 * across


def mean_on_the_sphere(vectors: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Descent of Σ wᵢ·angle² by half steps, then the mean length."""
    weight = weight / weight.sum()
    lengths = np.linalg.norm(vectors, axis=1)
    units = vectors / lengths[:, None]
    mean = weight @ units
    mean /= np.linalg.norm(mean)
    for _ in range(200):
        step = sum(w * log(mean, unit) for w, unit in zip(weight, units, strict=True)) / 2
        mean = mean + step  # a retraction: to first order what the exponential map does
        mean /= np.linalg.norm(mean)
    return mean * (weight @ lengths)


@pytest.mark.parametrize("name", METHODS)
@given(rows, st.lists(rows, min_size=2, max_size=4), st.lists(shares, min_size=4, max_size=4))
def test_it_is_the_mean_of_least_squared_angles(
    name: str, middle: Row, spread: list[Row], drawn: list[float]
) -> None:
    vectors = np.array(middle) + 0.4 * np.array(spread)  # within a hemisphere
    weight = np.array(drawn[: len(vectors)])
    assume(weight.any() and np.linalg.norm(middle) > 3)
    vectors = vectors.astype(np.float32).astype(np.float64)
    found = merge(name, vectors.tolist(), weight=tuple(weight))
    wanted = mean_on_the_sphere(vectors, weight)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("t", [0.2, 0.5, 0.8])
def test_of_two_models_it_is_slerp(name: str, t: float) -> None:
    a = [float(place % 5) for place in range(COUNT)]
    b = [float((place + 2) % 7) - 3 for place in range(COUNT)]
    found = merge(name, [a, b], weight=(1 - t, t))
    np.testing.assert_allclose(found, merge("slerp", [a, b], t=t), rtol=1e-5, atol=1e-5)


def angle_of(found: np.ndarray) -> float:
    """How far towards the second axis, as a share of the right angle."""
    return float(np.arctan2(found[1], found[0]) / (np.pi / 2))


def axes(count: int) -> list[Row]:
    return np.eye(COUNT)[:count].tolist()


def test_it_is_no_normalised_average() -> None:
    """Where mergekit's multislerp lands, and our Karcher mean before its first step."""
    assert angle_of(merge("multislerp", axes(2), weight=(1.0, 4.0))) == pytest.approx(0.8, rel=1e-6)
    average = merge("karcher", axes(2), weight=(1.0, 4.0), tol=1.0)
    assert angle_of(average) == pytest.approx(0.844, abs=0.0005)
    np.testing.assert_allclose(average[:2], np.array([0.2, 0.8]) / np.hypot(0.2, 0.8), rtol=1e-6)


def test_steps_and_tolerance_end_the_descent() -> None:
    inputs = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.3, -0.3, 0.9]]
    padded = [row + [0.0] * (COUNT - 3) for row in inputs]
    exact = merge("karcher", padded, max_iter=1000, tol=0.0)
    few = [np.abs(merge("karcher", padded, max_iter=n, tol=0.0) - exact).max() for n in (1, 2, 4)]
    assert few[0] > 2 * few[1] > 4 * few[2] > 0
    assert np.abs(merge("karcher", padded, tol=0.1) - exact).max() > 1e-4
    np.testing.assert_array_equal(merge("karcher", padded), exact.astype(np.float32))


@pytest.mark.parametrize("name", METHODS)
def test_what_has_no_mean_direction_is_averaged_straight(name: str) -> None:
    a = np.array([float(place - 7) for place in range(COUNT)])
    for weight in ((1.0, 1.0), (3.0, 1.0)):  # balanced, and opposite to the mean
        found = merge(name, [a.tolist(), (-a).tolist()], weight=weight)
        wanted = (weight[0] - weight[1]) / sum(weight) * a
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    x, y, z = axes(3)
    triangle = [x, (-0.5 * np.array(x) + 0.75**0.5 * np.array(y)).tolist(),
                (-0.5 * np.array(x) - 0.75**0.5 * np.array(y)).tolist()]  # fmt: skip
    np.testing.assert_allclose(merge(name, triangle), np.zeros(COUNT), atol=1e-6)
    assert np.linalg.norm(merge(name, [*triangle, z], weight=(1, 1, 1, 3))) == pytest.approx(1)


@pytest.mark.parametrize("name", METHODS)
def test_a_zero_tensor_counts_by_its_length(name: str) -> None:
    a = np.array([float(place) for place in range(COUNT)])
    zero = [0.0] * COUNT
    np.testing.assert_allclose(merge(name, [a.tolist(), zero], weight=(1.0, 3.0)), a / 4, rtol=1e-6)
    np.testing.assert_array_equal(merge(name, [zero, zero]), zero)


@pytest.mark.parametrize("name", METHODS)
def test_no_weights_are_equal_weights(name: str) -> None:
    inputs = axes(3)
    np.testing.assert_array_equal(merge(name, inputs, weight=0.0), merge(name, inputs))


@pytest.mark.parametrize("name", METHODS)
def test_models_within_float32_noise(name: str) -> None:
    a = np.array([1.0 + place / 7 for place in range(COUNT)], np.float32)
    b = np.nextafter(a, np.float32(9))
    found = merge(name, [a.tolist(), b.tolist()])
    assert ((a.astype(float) * (1 - 1e-7) <= found) & (found <= b.astype(float) * (1 + 1e-7))).all()


def test_with_a_base_on_the_differences() -> None:
    base = [0.25 * place for place in range(COUNT)]
    deltas = [[float((place * step) % 5) for place in range(COUNT)] for step in (1, 2, 3)]
    inputs = [(np.array(base) + delta).tolist() for delta in deltas]
    found = merge("multislerp", inputs, base, weight=(1.0, 2.0, 0.5))
    wanted = merge("multislerp", deltas, weight=(1.0, 2.0, 0.5))
    np.testing.assert_allclose(found - base, wanted, atol=1e-5)
    assert np.abs(found - merge("multislerp", inputs, weight=(1.0, 2.0, 0.5))).max() > 0.01


def test_weights_that_are_not_normalised_scale() -> None:
    inputs = axes(3)
    weight = (1.0, 2.0, 0.5)
    scaled = merge("multislerp", inputs, weight=weight, normalize_weights=False)
    np.testing.assert_allclose(scaled, 3.5 * merge("multislerp", inputs, weight=weight), rtol=1e-6)
