"""NuSLERP: the arc between two vectors, or between their differences from a base."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, SHAPE, Row, eighths, merge, rows
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, Value, noise

MODES = {
    "tensor": {},
    "row": {"nuslerp_flatten": False},
    "column": {"nuslerp_flatten": False, "nuslerp_row_wise": True},
}


def arc(x: np.ndarray, y: np.ndarray, t: float) -> np.ndarray:
    """(sin((1-t)Ω)·x + sin(tΩ)·y) / sin Ω, the angle from the legs of a right triangle."""
    length = np.linalg.norm(x)
    if length == 0 or np.linalg.norm(y) == 0:
        return (1 - t) * x + t * y
    along = y @ x / length
    angle = np.arctan2(np.linalg.norm(y - along * x / length), along)
    if np.sin(angle) < 1e-4:
        return (1 - t) * x + t * y
    return (np.sin((1 - t) * angle) * x + np.sin(t * angle) * y) / np.sin(angle)


def nuslerp(a: Row, b: Row, t: float, mode: str) -> np.ndarray:
    """Vector by vector."""
    x, y = np.array(a).reshape(SHAPE), np.array(b).reshape(SHAPE)
    if mode == "tensor":
        return arc(x.ravel(), y.ravel(), t)
    if mode == "row":
        return np.stack([arc(*pair, t) for pair in zip(x, y, strict=True)]).ravel()
    return np.stack([arc(*pair, t) for pair in zip(x.T, y.T, strict=True)]).T.ravel()


@given(rows, rows, eighths, st.sampled_from(sorted(MODES)), st.booleans())
def test_it_walks_along_the_arc(a: Row, b: Row, t: float, mode: str, based: bool) -> None:
    found = merge("nuslerp", [a, b], [0.5] * COUNT if based else None,
                  weight=(1 - t, t), **MODES[mode])  # fmt: skip
    shift = 0.5 if based else 0.0
    wanted = shift + nuslerp(list(np.array(a) - shift), list(np.array(b) - shift), t, mode)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-5)


def test_a_base_changes_the_result() -> None:
    a, b = [1.0] * COUNT, [float(place) for place in range(COUNT)]
    plain, based = merge("nuslerp", [a, b]), merge("nuslerp", [a, b], [0.5] * COUNT)
    assert np.abs(plain - based).max() > 0.01


@pytest.mark.parametrize("weight", [(2.0, 3.0), (0.4, 0.6), (-1.0, -1.5)])
def test_only_the_share_of_the_weights_counts(weight: tuple[float, float]) -> None:
    a, b = [1.0] * COUNT, [float(place) for place in range(COUNT)]
    found = merge("nuslerp", [a, b], weight=weight)
    np.testing.assert_allclose(found, arc(np.array(a), np.array(b), 0.6), rtol=1e-6)


def test_weights_that_cancel_count_as_equal() -> None:
    a, b = [1.0] * COUNT, [float(place) for place in range(COUNT)]
    np.testing.assert_array_equal(
        merge("nuslerp", [a, b], weight=(1.0, -1.0)), merge("nuslerp", [a, b])
    )


@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.parametrize("factor", [2.0, -1.0, 0.0])
def test_parallel_opposite_and_zero_vectors_go_in_a_straight_line(factor: float, mode: str) -> None:
    a = [float(place - 7) for place in range(COUNT)]
    found = merge("nuslerp", [a, [factor * x for x in a]], weight=(3.0, 1.0), **MODES[mode])
    np.testing.assert_allclose(found, (0.75 + 0.25 * factor) * np.array(a), atol=1e-5)


@pytest.mark.parametrize("mode", ["row", "column"])
def test_a_bias_is_one_vector(mode: str) -> None:
    bench, pair = Bench(METHODS["nuslerp"]), [noise((9,), seed) for seed in (1, 2)]
    assert torch.equal(bench.merge(pair, values=MODES[mode]), bench.merge(pair))


def test_the_kernels_of_a_convolution_belong_to_their_row() -> None:
    bench, pair = Bench(METHODS["nuslerp"]), [noise((4, 2, 3, 3), seed) for seed in (1, 2)]
    flat = [tensor.reshape(4, 18) for tensor in pair]
    values: dict[str, Value] = {"nuslerp_flatten": False}
    for values["nuslerp_row_wise"] in (False, True):
        merged = bench.merge(pair, values=values).reshape(4, 18)
        assert torch.equal(merged, bench.merge(flat, values=values))


def test_it_is_slerp_of_raw_vectors() -> None:
    a, b = [1.0] * COUNT, [float(place) for place in range(COUNT)]
    np.testing.assert_array_equal(
        merge("nuslerp", [a, b], weight=(0.75, 0.25)), merge("slerp", [a, b], t=0.25, norm="raw")
    )
