"""SLERP: Shoemake, 1985, on the whole tensor as one vector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, eighths, merge, rows


def slerp(a: Row, b: Row, t: float, norm: str) -> np.ndarray:
    """By rotation: the component of b across a, turned by t of the angle between them."""
    x, y = np.array(a), np.array(b)
    length_a, length_b = np.linalg.norm(x), np.linalg.norm(y)
    if norm == "raw":
        angle = np.arccos(np.clip(x @ y / length_a / length_b, -1, 1))
        return (np.sin((1 - t) * angle) * x + np.sin(t * angle) * y) / np.sin(angle)
    along = x / length_a
    across = y - (y @ along) * along
    across /= np.linalg.norm(across)
    angle = np.arctan2(y @ across, y @ along)
    direction = np.cos(t * angle) * along + np.sin(t * angle) * across
    return direction * ((1 - t) * length_a + t * length_b)


@given(rows, rows, eighths, st.sampled_from(["lerp", "raw"]))
def test_slerp_turns_by_t_of_the_angle(a: Row, b: Row, t: float, norm: str) -> None:
    length = np.linalg.norm(a) * np.linalg.norm(b)
    assume(length > 0 and abs(np.dot(a, b)) < 0.9999 * length)
    found = merge("slerp", [a, b], t=t, norm=norm)
    np.testing.assert_allclose(found, slerp(a, b, t, norm), rtol=1e-5, atol=1e-5)


@given(rows, eighths)
def test_two_ways_from_a_to_b_are_one(row: Row, t: float) -> None:
    other = [*row[1:], row[0] + 0.5]
    there, back = merge("slerp", [row, other], t=t), merge("slerp", [other, row], t=1 - t)
    np.testing.assert_allclose(there, back, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.0])
@pytest.mark.parametrize("norm", ["lerp", "raw"])
def test_parallel_opposite_and_zero_tensors_go_in_a_straight_line(factor: float, norm: str) -> None:
    a = [float(place - 7) for place in range(COUNT)]
    b = [factor * entry for entry in a]
    found = merge("slerp", [a, b], t=0.25, norm=norm)
    np.testing.assert_allclose(found, 0.75 * np.array(a) + 0.25 * np.array(b), rtol=1e-6, atol=1e-6)


def test_close_fine_tunes_are_not_taken_for_parallel() -> None:
    """Above a cosine of 0.9995 mergekit interpolates in a straight line, which shortens."""
    a = [1.0] * COUNT
    b = [1.0 + 0.02 * (-1) ** place for place in range(COUNT)]
    found = merge("slerp", [a, b], t=0.5)
    wanted = (np.linalg.norm(a) + np.linalg.norm(b)) / 2
    assert np.linalg.norm(found) == pytest.approx(wanted, rel=1e-7)
    assert np.linalg.norm((np.array(a) + b) / 2) < wanted * (1 - 4e-5)


def test_raw_is_shorter_where_lengths_differ() -> None:
    """As measured of mergekit and sd-mecha: 62.8 and 65.3 at t = 0.25 for 55.6 and 94.4."""
    a = [55.6, *[0.0] * (COUNT - 1)]
    b = [0.0, 94.4, *[0.0] * (COUNT - 2)]
    raw, straight = (merge("slerp", [a, b], t=0.25, norm=norm) for norm in ("raw", "lerp"))
    assert np.linalg.norm(straight) == pytest.approx(65.3)
    assert np.linalg.norm(raw) == pytest.approx(62.8, abs=0.05)
