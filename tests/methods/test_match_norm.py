"""match_norm: the lengths of one model for the tensors of another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, SHAPE, Row, eighths, merge, rows

ZERO = [0.0] * COUNT


@given(rows, rows, eighths, st.sampled_from(["tensor", "row"]))
def test_lengths_go_from_a_to_b(a: Row, b: Row, strength: float, per: str) -> None:
    found = merge("match_norm", [a, b], strength=strength, per=per).reshape(SHAPE)
    shape = SHAPE if per == "row" else (1, COUNT)
    old, goal, new = np.array(a).reshape(shape), np.array(b).reshape(shape), found.reshape(shape)
    for before, wanted, after in zip(old, goal, new, strict=True):
        length = (1 - strength) * np.linalg.norm(before) + strength * np.linalg.norm(wanted)
        if not before.any():
            assert not after.any()
            continue
        np.testing.assert_allclose(np.linalg.norm(after), length, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(after, before * length / np.linalg.norm(before), atol=1e-5)


@pytest.mark.parametrize("per", ["tensor", "row"])
def test_what_has_no_length_gets_none(per: str) -> None:
    row = [float(place - 7) for place in range(COUNT)]
    assert not merge("match_norm", [ZERO, row], per=per).any()
    assert not merge("match_norm", [row, ZERO], per=per).any()
    hardly = [1e-40, *ZERO[1:]]
    assert np.abs(merge("match_norm", [hardly, row], per=per)).max() < 1e-38


def test_an_average_gets_its_length_back() -> None:
    """Two stages: the mean of two models at right angles, as long as they were."""
    one, two = [3.0, *ZERO[1:]], [0.0, 3.0, *ZERO[2:]]
    mean = merge("linear", [one, two]).tolist()
    assert np.linalg.norm(mean) == pytest.approx(3 / np.sqrt(2))
    assert np.linalg.norm(merge("match_norm", [mean, one])) == pytest.approx(3.0)
