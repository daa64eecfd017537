"""Tensor sum and top-k tensor sum: which numbers come from where."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, SHAPE, Row, eighths, few, merge, rows
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, Value


def taken(alpha: float, beta: float, size: int) -> set[int]:
    """The places of the run: it begins at β, is α long, and goes on at the first."""
    first = round(beta * size)
    return {(first + step) % size for step in range(round(alpha * size))}


@given(rows, rows, eighths, eighths, st.sampled_from(["rows", "columns"]))
def test_a_run_is_taken_from_b(a: Row, b: Row, alpha: float, beta: float, by: str) -> None:
    dim = 0 if by == "rows" else 1
    run = taken(alpha, beta, SHAPE[dim])
    wanted = [
        pair[np.unravel_index(place, SHAPE)[dim] in run]
        for place, pair in enumerate(zip(a, b, strict=True))
    ]
    found = merge("tensor_sum", [a, b], alpha=alpha, beta=beta, by=by)
    np.testing.assert_array_equal(found, wanted)


def ones_in(shape: tuple[int, ...], **values: Value) -> torch.Tensor:
    bench = Bench(METHODS["tensor_sum"])
    return bench.merge([torch.zeros(shape), torch.ones(shape)], values=values, slab=5)


def test_known_runs() -> None:
    """The indices that sd-meh and supermerger compute where they divide evenly."""
    assert ones_in((10,), alpha=0.3, beta=0.2).tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    assert ones_in((10,), alpha=0.4, beta=0.8).tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    kernels = ones_in((2, 4, 3, 3), alpha=0.5, by="columns")
    assert kernels[:, :2].all()
    assert not kernels[:, 2:].any()
    assert ones_in((6,), alpha=0.5, by="columns").tolist() == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(("alpha", "wanted"), [(0.5, 0.0), (0.6, 1.0)])
def test_a_scalar_is_taken_by_more_than_half(alpha: float, wanted: float) -> None:
    for by in ("rows", "columns"):
        assert ones_in((), alpha=alpha, by=by).item() == wanted


def top_k(a: Row, b: Row, alpha: float, beta: float) -> Row:
    """By ranks: entry i gets A's number of the rank that B's entry i has."""
    order = sorted(range(COUNT), key=lambda place: b[place])
    moved = dict(zip(order, sorted(a), strict=True))
    ranked = sorted(map(abs, a))
    first, count = round(beta * COUNT), round(alpha * COUNT)
    runs = [(first, min(first + count, COUNT)), (0, max(first + count - COUNT, 0))]
    edges = [(ranked[start - 1] if start else -1.0, ranked[stop - 1] if stop else -1.0)
             for start, stop in runs]  # fmt: skip
    chosen = [any(low < abs(moved[i]) <= high for low, high in edges) for i in range(COUNT)]
    return [moved[place] if chosen[place] else a[place] for place in range(COUNT)]


@given(rows | few, rows | few, eighths, eighths)
def test_numbers_move_to_b_s_order(a: Row, b: Row, alpha: float, beta: float) -> None:
    found = merge("top_k_tensor_sum", [a, b], alpha=alpha, beta=beta)
    np.testing.assert_array_equal(found, top_k(a, b, alpha, beta))


@given(rows, rows, eighths)
def test_all_of_them_are_a_s_numbers_in_b_s_order(a: Row, b: Row, beta: float) -> None:
    found = merge("top_k_tensor_sum", [a, b], alpha=1.0, beta=beta)
    np.testing.assert_array_equal(np.sort(found), np.sort(a))
    assert (np.diff(found[np.argsort(b, kind="stable")]) >= 0).all()
    np.testing.assert_array_equal(merge("top_k_tensor_sum", [a, b], alpha=0.0, beta=beta), a)
