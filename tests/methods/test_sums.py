"""The methods that are one line of arithmetic, entry by entry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, eighths, few, merge, models, rows, scales

wide = st.integers(-8, 16).map(lambda n: n / 8)


def each(formula: object, *inputs: Row) -> list[float]:
    assert callable(formula)
    return [formula(*entries) for entries in zip(*inputs, strict=True)]


def close(found: np.ndarray, wanted: list[float]) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-6)


@given(rows, rows, rows, wide, wide)
def test_sums_of_a_b_and_c(a: Row, b: Row, c: Row, x: float, y: float) -> None:
    close(merge("weighted_sum", [a, b], alpha=x), each(lambda a, b: a * (1 - x) + b * x, a, b))
    twice = each(lambda a, b, c: (a * (1 - x) + b * x) * (1 - y) + c * y, a, b, c)
    close(merge("sum_twice", [a, b, c], alpha=x, beta=y), twice)
    triple = each(lambda a, b, c: a * (1 - x - y) + b * x + c * y, a, b, c)
    close(merge("triple_sum", [a, b, c], alpha=x, beta=y), triple)


@given(rows, rows, eighths, eighths)
def test_a_negative_alpha_is_a_weighted_subtraction(a: Row, b: Row, x: float, y: float) -> None:
    """(A - αβ·B) / (1 - αβ), as sd-meh has it."""
    product = x * y / 2
    wanted = each(lambda a, b: (a - product * b) / (1 - product), a, b)
    close(merge("weighted_sum", [a, b], alpha=-product / (1 - product)), wanted)


@given(rows, scales)
def test_passthrough_scales(a: Row, scale: float) -> None:
    np.testing.assert_array_equal(merge("passthrough", [a], scale=scale), scale * np.array(a))


@given(rows, rows | few, st.sampled_from([0.0, 1e-9, 0.01, 0.5, 2.0, 100.0]))
def test_nearswap_is_a_mix_by_distance(a: Row, b: Row, t: float) -> None:
    def near(a: float, b: float) -> float:
        share = min(1.0, t / abs(a - b)) if a != b else 1.0
        return (1 - share) * a + share * b

    found = merge("nearswap", [a, b], t=t)
    close(found, each(near, a, b))
    swapped = np.abs(np.subtract(a, b)) <= t
    np.testing.assert_array_equal(found[swapped], np.array(b)[swapped])


@given(rows, models(rows | few), eighths)
def test_clamp_holds_the_base_within_the_models(base: Row, bounds: list[Row], s: float) -> None:
    def held(x: float, *others: float) -> float:
        average = sum(others) / len(others)
        high = (1 - s) * max(others) + s * min(y for y in others if y >= average - 1e-9)
        low = (1 - s) * min(others) + s * max(y for y in others if y <= average + 1e-9)
        return sorted([low, x, high])[1]

    close(merge("clamp", bounds, base, stiffness=s), each(held, base, *bounds))


def test_clamp_takes_nothing_from_what_lies_within() -> None:
    base = [float(place) for place in range(COUNT)]
    found = merge("clamp", [[x - 1 for x in base], [x + 1 for x in base]], base)
    np.testing.assert_array_equal(found, base)


@given(rows | few, rows | few, eighths)
def test_geometric_sum_is_a_complex_power(a: Row, b: Row, x: float) -> None:
    wanted = each(lambda a, b: (complex(a) ** (1 - x) * complex(b) ** x).real, a, b)
    close(merge("geometric_sum", [a, b], alpha=x), wanted)


@pytest.mark.parametrize(
    ("a", "b", "wanted"), [(2.0, 8.0, 4.0), (-2.0, -8.0, -4.0), (2.0, -8.0, 0.0)]
)
def test_the_geometric_mean_of_two_numbers(a: float, b: float, wanted: float) -> None:
    close(merge("geometric_sum", [[a] * COUNT, [b] * COUNT]), [wanted] * COUNT)


@given(rows, rows | few, few, eighths, eighths)
def test_multiply_difference(a: Row, b: Row, c: Row, x: float, y: float) -> None:
    def multiplied(a: float, b: float, c: float) -> float:
        mix = (1 - y) * a + y * b - c
        size = abs(a - c) ** (1 - x) * abs(b - c) ** x
        return c + (math.copysign(size, mix) if mix else 0.0)

    close(merge("multiply_difference", [a, b], c, alpha=x, beta=y), each(multiplied, a, b, c))


@given(rows, rows, few, eighths)
def test_euclidean_add_difference(a: Row, b: Row, c: Row, x: float) -> None:
    one, two = np.subtract(a, c), np.subtract(b, c)
    mix = (1 - x) * one + x * two
    norms = [np.linalg.norm(tau) or 1.0 for tau in (one, two)]
    size = np.sqrt((1 - x) * (one / norms[0]) ** 2 + x * (two / norms[1]) ** 2)
    size *= np.linalg.norm(mix) / (np.linalg.norm(size) or 1.0)
    found = merge("euclidean_add_difference", [a, b], c, alpha=x)
    close(found, (c + np.sign(mix) * size).tolist())


def test_euclidean_add_difference_beside_a_model_that_learned_nothing() -> None:
    c, learned = [1.0] * COUNT, [float(place) for place in range(COUNT)]
    found = merge("euclidean_add_difference", [learned, c], c, alpha=0.25)
    close(found, each(lambda a, c: c + 0.75 * (a - c), learned, c))
    np.testing.assert_array_equal(merge("euclidean_add_difference", [c, c], c), c)
    opposite = [2 * one - other for one, other in zip(c, learned, strict=True)]
    np.testing.assert_array_equal(merge("euclidean_add_difference", [learned, opposite], c), c)


@given(rows | few, rows | few, rows, wide, eighths)
def test_similarity_add_difference(a: Row, b: Row, c: Row, x: float, y: float) -> None:
    def mixed(a: float, b: float, c: float) -> float:
        larger = max(abs(a), abs(b))
        share = y * ((a * b / larger**2 if larger else 1.0) + 1) / 2
        return (1 - share) * (a + x * (b - c)) + share * ((1 - x / 2) * a + x / 2 * b)

    close(merge("similarity_add_difference", [a, b, c], alpha=x, beta=y), each(mixed, a, b, c))


def test_tiny_numbers_are_similar_too() -> None:
    """1e-30 squared is zero in float32."""
    a, b, c = [1e-30] * COUNT, [5e-31] * COUNT, [0.0] * COUNT
    found = merge("similarity_add_difference", [a, b, c], alpha=1.0, beta=1.0)
    share = (0.5 + 1) / 2
    wanted = (1 - share) * 1.5e-30 + share * 0.75e-30
    np.testing.assert_allclose(found, [wanted] * COUNT, rtol=1e-5)
