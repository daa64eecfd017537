"""Cosine A and B: supermerger's formulas, column by column."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, SHAPE, Row, eighths, few, merge, rows
from sdmerge.methods import METHODS
from sdmerge.testing.bench import noise
from sdmerge.whole import Whole


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    length = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / length) if length else 0.0


def unit_columns(matrix: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(matrix, axis=0)
    return matrix / np.where(norms == 0, 1, norms)


def similarities(x: np.ndarray, y: np.ndarray, kind: str) -> np.ndarray:
    """Column by column."""
    seen = (unit_columns(x), unit_columns(y)) if kind == "a" else (x, y)
    whole = cosine(seen[0].ravel(), seen[1].ravel())
    return np.array([(cosine(one, two) + whole) / 2 for one, two in zip(x.T, y.T, strict=True)])


def mixed(a: Row, b: Row, kind: str, alpha: float, stretch: str) -> np.ndarray:
    x, y = np.array(a).reshape(SHAPE), np.array(b).reshape(SHAPE)
    alike = similarities(x, y, kind)
    if stretch == "model":  # a bench's model has the tensor twice, once of another size
        low, high = np.quantile(np.concatenate([alike, alike]), [0.01, 0.99])
        alike = (alike - low) / (high - low) if high - low > 1e-9 else alike
    kept = np.clip(alike - alpha, 0, 1)
    return (kept * x + (1 - kept) * y).ravel()


@given(rows, rows, st.sampled_from("ab"), eighths, st.sampled_from(["none", "model"]))
def test_similar_columns_stay_a_s(a: Row, b: Row, kind: str, alpha: float, stretch: str) -> None:
    found = merge(f"cosine_{kind}", [a, b], alpha=alpha, stretch=stretch)
    np.testing.assert_allclose(found, mixed(a, b, kind, alpha, stretch), rtol=1e-5, atol=2e-5)


@given(few, rows, st.sampled_from("ab"), eighths)
def test_columns_of_zeros_are_like_nothing(a: Row, b: Row, kind: str, alpha: float) -> None:
    a[: COUNT // 2 + 1] = [0.0] * (COUNT // 2 + 1)
    a[:: SHAPE[1]] = [0.0] * SHAPE[0]
    found = merge(f"cosine_{kind}", [a, b], alpha=alpha, stretch="none")
    np.testing.assert_allclose(found, mixed(a, b, kind, alpha, "none"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", "ab")
def test_the_range_is_that_of_all_tensors(kind: str) -> None:
    """A tensor of similar columns and one of dissimilar ones: the first stays A's as a whole."""
    shapes = {"near": (40, 70), "far": (40, 90), "bias": (9,)}
    tensors = {}
    for key, shape in shapes.items():
        a = noise(shape, 1)
        tensors[key] = (a, a + 0.1 * noise(shape, 2) if key == "near" else noise(shape, 3))

    def whole(key: str) -> Whole:
        flat = [one.reshape(-1) for one in tensors[key]]
        readers = [lambda start, stop, row=row: row[start:stop] for row in flat]
        return Whole(readers, flat[0].numel(), shapes[key])

    fit = METHODS[f"cosine_{kind}"].fit
    assert fit is not None
    models: Any = SimpleNamespace(shapes=shapes, whole=whole, report=lambda done: None)
    found = dict(fit.find(models))
    alike = {key: similarities(*(one.double().reshape(len(one), -1).numpy() for one in pair), kind)
             for key, pair in tensors.items()}  # fmt: skip
    low, high = np.quantile(np.concatenate([*alike.values()]), [0.01, 0.99])
    for key, wanted in alike.items():
        np.testing.assert_allclose(found[key], (wanted - low) / (high - low), atol=1e-9)
    assert found["near"].min() > 0.8
    assert found["far"].max() < 0.6


@pytest.mark.parametrize("kind", "ab")
@pytest.mark.parametrize("stretch", ["none", "model"])
def test_the_ends(kind: str, stretch: str) -> None:
    a, b = noise(SHAPE, 1), noise(SHAPE, 2)
    b[:, 2] = 3 * a[:, 2]  # the most alike
    inputs = [one.reshape(-1).tolist() for one in (a, b)]
    all_b = merge(f"cosine_{kind}", inputs, alpha=1.0, stretch=stretch)
    np.testing.assert_array_equal(all_b, inputs[1])
    most_a = merge(f"cosine_{kind}", inputs, alpha=0.0, stretch=stretch).reshape(SHAPE)
    kept = (torch.tensor(most_a) - b)[0] / (a - b)[0]
    assert int(kept.argmax()) == 2
    assert float(kept[2]) == pytest.approx(1.0, abs=0.01) or stretch == "none"


def test_only_b_sees_which_columns_are_long() -> None:
    a, b, longer = np.ones(SHAPE), 2 * np.ones(SHAPE), np.ones(SHAPE)
    b[:, 0] = [1, -1, 1, -1]  # the one column that is not alike
    longer[:, 0] = 9
    for kind in "ab":
        short, long = (
            merge(f"cosine_{kind}", [(scale * x).ravel().tolist() for x in (a, b)], stretch="none")
            for scale in (1, longer)
        )
        others = np.arange(COUNT) % SHAPE[1] > 0
        assert np.allclose(short[others], long[others]) == (kind == "a")


@pytest.mark.parametrize("kind", "ab")
def test_a_model_of_one_similarity_has_no_range(kind: str) -> None:
    a = [1.0] * COUNT
    np.testing.assert_allclose(merge(f"cosine_{kind}", [a, [2.0] * COUNT]), [1.5] * COUNT)
