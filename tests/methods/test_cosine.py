"""Cosine A and B: supermerger's formulas, column by column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, SHAPE, Row, eighths, few, merge, rows


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    length = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / length) if length else 0.0


def unit_columns(matrix: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(matrix, axis=0)
    return matrix / np.where(norms == 0, 1, norms)


def mixed(a: Row, b: Row, kind: str, alpha: float, low: float, high: float) -> np.ndarray:
    x, y = np.array(a).reshape(SHAPE), np.array(b).reshape(SHAPE)
    seen = (unit_columns(x), unit_columns(y)) if kind == "a" else (x, y)
    whole = cosine(seen[0].ravel(), seen[1].ravel())
    out = np.zeros(SHAPE)
    for place in range(SHAPE[1]):
        alike = (cosine(x[:, place], y[:, place]) + whole) / 2
        kept = np.clip((alike - low) / (high - low) - alpha, 0, 1)
        out[:, place] = kept * x[:, place] + (1 - kept) * y[:, place]
    return out.ravel()


@given(rows | few, rows, st.sampled_from("ab"), eighths, st.integers(-4, 4), st.integers(5, 8))
def test_similar_columns_stay_a_s(
    a: Row, b: Row, kind: str, alpha: float, low: int, high: int
) -> None:
    found = merge(f"cosine_{kind}", [a, b], alpha=alpha, low=low / 8, high=high / 8)
    wanted = mixed(a, b, kind, alpha, low / 8, high / 8)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", "ab")
def test_the_ends(kind: str) -> None:
    a = np.ones(SHAPE)
    a[:, 1] = [1, -1, 1, -1]
    b = 2 * np.ones(SHAPE)  # alike but in one column
    found = merge(f"cosine_{kind}", [a.ravel().tolist(), b.ravel().tolist()], alpha=0.0, high=0.9)
    columns = found.reshape(SHAPE).T
    np.testing.assert_array_equal(columns[0], a[:, 0])
    assert (columns[1] != a[:, 1]).all()
    all_b = merge(f"cosine_{kind}", [a.ravel().tolist(), b.ravel().tolist()], alpha=1.0)
    np.testing.assert_array_equal(all_b, b.ravel())


def test_only_b_sees_which_columns_are_long() -> None:
    a, b, longer = np.ones(SHAPE), 2 * np.ones(SHAPE), np.ones(SHAPE)
    b[:, 0] = [1, -1, 1, -1]  # the one column that is not alike
    longer[:, 0] = 9
    for kind in "ab":
        short, long = (
            merge(f"cosine_{kind}", [(scale * x).ravel().tolist() for x in (a, b)])
            for scale in (1, longer)
        )
        others = np.arange(COUNT) % SHAPE[1] > 0
        assert np.allclose(short[others], long[others]) == (kind == "a")


def test_a_range_of_no_width_is_a_step() -> None:
    a, b = [1.0] * COUNT, [1.0, -1.0] * (COUNT // 2)
    found = merge("cosine_a", [a, b], low=0.5, high=0.5, alpha=0.0)
    np.testing.assert_allclose(found, b)
