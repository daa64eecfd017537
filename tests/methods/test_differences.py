"""Two models and their base: add_difference, train_difference, add_perpendicular and warp."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given

from methods.reference import COUNT, Row, deltas, eighths, merge, rows, scales

ZERO = [0.0] * COUNT
RAMP = [float(place - 7) for place in range(COUNT)]


def close(found: np.ndarray, wanted: object) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@given(rows, rows, rows, scales)
def test_add_difference_is_a_plus_alpha_times_b_less_c(
    a: Row, b: Row, c: Row, alpha: float
) -> None:
    wanted = np.array(a) + alpha * (np.array(b) - np.array(c))
    close(merge("add_difference", [a, b], c, alpha=alpha), wanted)


@given(rows, rows, rows, scales)
def test_train_difference_adds_where_a_is_far_from_b(a: Row, b: Row, c: Row, alpha: float) -> None:
    wanted: Row = []
    for at, goal, start in zip(a, b, c, strict=True):
        to_a, to_c = abs(goal - at), abs(goal - start)
        share = to_a / (to_a + to_c) if to_a + to_c else 0.0
        wanted.append(at + alpha * 1.8 * np.sign(goal - start) * share * abs(goal - start))
    close(merge("train_difference", [a, b], c, alpha=alpha), wanted)


@pytest.mark.parametrize(("at", "factor"), [(0.0, 0.9), (1.0, 0.0), (-1.0, 1.2), (2.0, 0.9)])
def test_train_difference_at_b_at_the_base_and_opposite(at: float, factor: float) -> None:
    """A at the base gets 0.9 of the difference, at B none of it, at the opposite 1.8·2/3."""
    a = [at * entry for entry in RAMP]
    wanted = np.array(a) + factor * np.array(RAMP)
    close(merge("train_difference", [a, RAMP], ZERO), wanted)


@given(rows, rows, rows, scales)
def test_add_perpendicular_adds_what_least_squares_leaves(
    a: Row, b: Row, c: Row, alpha: float
) -> None:
    tau_a, tau_b = (np.array(tau) for tau in deltas([a, b], c))
    assume(tau_a.any())
    (share,), *_ = np.linalg.lstsq(tau_a[:, None], tau_b, rcond=None)
    left = tau_b - share * tau_a
    assert abs(left @ tau_a) < 1e-9
    close(merge("add_perpendicular", [a, b], c, alpha=alpha), np.array(a) + alpha * left)


@pytest.mark.parametrize("factor", [3.0, -0.5, 0.0])
def test_nothing_parallel_is_added(factor: float) -> None:
    b = [factor * entry for entry in RAMP]
    close(merge("add_perpendicular", [RAMP, b], ZERO), RAMP)


def test_all_is_perpendicular_to_nothing() -> None:
    close(merge("add_perpendicular", [ZERO, RAMP], ZERO, alpha=0.5), np.array(RAMP) / 2)
    hardly = [1e-40, *ZERO[1:]]
    close(merge("add_perpendicular", [hardly, RAMP], ZERO), RAMP)


@given(rows, rows, rows, eighths)
def test_warp_turns_task_vectors(a: Row, b: Row, c: Row, t: float) -> None:
    tau_a, tau_b = (np.array(tau) for tau in deltas([a, b], c))
    length = np.linalg.norm(tau_a) * np.linalg.norm(tau_b)
    assume(length > 0 and abs(tau_a @ tau_b) < 0.9999 * length)
    angle = np.arccos(tau_a @ tau_b / length)
    merged = (np.sin((1 - t) * angle) * tau_a + np.sin(t * angle) * tau_b) / np.sin(angle)
    close(merge("warp", [a, b], c, t=t), np.array(c) + merged)


def test_warp_keeps_the_length_that_an_average_loses() -> None:
    a, b = [3.0, *ZERO[1:]], [0.0, 3.0, *ZERO[2:]]
    assert np.linalg.norm(merge("warp", [a, b], ZERO)) == pytest.approx(3.0)
    average = merge("task_arithmetic", [a, b], ZERO, weight=0.5)
    assert np.linalg.norm(average) == pytest.approx(3.0 / np.sqrt(2))


@pytest.mark.parametrize("factor", [2.0, 1.0 + 1e-7, -1.0, 0.0])
def test_warp_goes_straight_where_there_is_no_arc(factor: float) -> None:
    b = [factor * entry for entry in RAMP]
    close(merge("warp", [RAMP, b], ZERO, t=0.25), (0.75 + 0.25 * factor) * np.array(RAMP))
    close(merge("warp", [ZERO, b], ZERO, t=0.25), 0.25 * np.array(b))
