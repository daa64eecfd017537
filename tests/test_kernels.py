"""Compiled loops: the same bytes as the plain ones, and nobody waits for them without need."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_same_bytes import data
from tiny import merged, planned, same, words

import sdmerge.compiled
from sdmerge.compiled.ranking import SPREAD, magnitude_order
from sdmerge.method import Method, Registry, Weights, method
from sdmerge.methods import METHODS, kernels
from sdmerge.tally import PLAIN, Tally, kth_magnitudes
from sdmerge.testing.bench import Bench
from sdmerge.testing.method_laws import a_kernel_leaves_no_trace

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-40]
)
TALLIES = {"plain": PLAIN, "compiled": kernels.tally()}


@pytest.mark.parametrize("tally", TALLIES.values(), ids=TALLIES)
@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.lists(FLOATS, min_size=1, max_size=40), min_size=1, max_size=3), at=st.data()
)
def test_the_kth_magnitude_is_the_one_that_sorting_finds(
    tally: Tally, rows: list[list[float]], at: st.DataObject
) -> None:
    length = min(map(len, rows))
    tensors = [np.array(row[:length], np.float32) for row in rows]
    counts = [[at.draw(st.integers(1, length)) for _ in "ab"] for _ in tensors]
    width = at.draw(st.integers(1, length))

    def pieces() -> Iterator[Sequence[np.ndarray]]:
        for start in range(0, length, width):
            yield [tensor[start : start + width] for tensor in tensors]

    found = kth_magnitudes(pieces, counts, tally)
    ordered = [np.sort(np.abs(tensor)) for tensor in tensors]
    wanted = [[row[-n] for n in own] for row, own in zip(ordered, counts, strict=True)]
    assert found.tolist() == wanted


@settings(max_examples=200, deadline=None)
@given(
    st.lists(FLOATS, min_size=1, max_size=60)
    | st.lists(st.sampled_from([0.0, 1e-3, -1e-3, 2e-3, 1e30]), min_size=40, max_size=99)
)
def test_counting_orders_a_row_as_sorting_does(row: list[float]) -> None:
    values = np.array(row, np.float32)
    keys, memory = np.empty(len(row), np.uint64), np.empty(SPREAD * len(row) + 2, np.int32)
    magnitude_order(values, memory, keys)
    found = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    assert found.tolist() == np.argsort(np.abs(values), kind="stable").tolist()


def test_there_are_kernels_and_they_are_used() -> None:
    assert kernels.available()
    assert METHODS.keys() >= kernels.KERNELS
    for name in kernels.KERNELS:
        assert kernels.with_kernel(METHODS[name]).body.__module__ == f"{kernels.__name__}.{name}"
    assert TALLIES["compiled"] is not PLAIN


def test_a_method_of_the_same_name_keeps_its_own_body() -> None:
    registry = Registry()

    @method(title="Other", paper="https://example.org", registry=registry)
    def ties(weights: Weights) -> torch.Tensor:
        """Take the first."""
        return weights[0]

    assert kernels.with_kernel(registry["ties"]) is registry["ties"]


@pytest.mark.parametrize("name", ["ties", "dare_ties"])
def test_a_large_merge_gives_the_bytes_of_a_small_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of the bodies runs depends on the size of the merge, and must not show."""
    models = [words(seed) for seed in (0, 1, 2)]
    used: list[str] = []

    def with_kernel(one: Method) -> Method:
        used.append(one.name)
        return replace(one, body=kernel.body)

    kernel = kernels.with_kernel(METHODS[name])
    monkeypatch.setattr(kernels, "with_kernel", with_kernel)
    plain = merged(planned(data(name, models)))
    assert not used
    monkeypatch.setattr(kernels, "PAYS", 1)
    assert same(merged(planned(data(name, models))), plain)
    assert used == [name]


def test_without_numba_the_plain_bodies_run(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [words(seed) for seed in (0, 1, 2)]
    monkeypatch.setattr(kernels, "PAYS", 1)
    wanted = merged(planned(data("ties", models)))
    monkeypatch.setitem(sys.modules, "numba", None)
    sdmerge.compiled.available.cache_clear()
    try:
        assert not kernels.has_kernel(METHODS["ties"])
        assert kernels.tally() is PLAIN
        assert same(merged(planned(data("ties", models))), wanted)
    finally:
        sdmerge.compiled.available.cache_clear()


def test_a_kernel_rounds_as_the_plain_body_does_at_the_edges() -> None:
    """Entries that cancel, underflow in the vote, or are zeros of either sign."""
    base = torch.tensor([0.0, -0.0, 1.0, 1e-38, -1e-38, 3.0, -0.0]).repeat(700)
    first = base + torch.tensor([0.0, 0.0, 1.0, 1e-44, 2.0, -1.0, -1e-45]).repeat(700)
    other = base + torch.tensor([-0.0, 1.0, -1.0, 1e-45, -2.0, -1.0, 1e-45]).repeat(700)
    for name in kernels.KERNELS:
        for weight in (1.0, 0.0, -0.5, 1e-3):
            values = {"weight": weight, "density": 0.9}
            plain, fast = (
                Bench(METHODS[name]).merge([first, other], base, values, kernel=kernel)
                for kernel in (False, True)
            )
            assert torch.equal(plain.view(torch.int32), fast.view(torch.int32)), (name, weight)


def test_a_kernel_that_is_off_in_one_bit_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(one: Method) -> Method:
        @functools.wraps(one.body)
        def body(deltas: torch.Tensor, cut: torch.Tensor, **values: object) -> torch.Tensor:
            merged = one.body(deltas, cut, **values)
            return torch.where(merged == 0, -merged, merged)

        return replace(one, body=body)

    monkeypatch.setattr("sdmerge.testing.bench.with_kernel", off)
    with pytest.raises(AssertionError, match="differ in their bits"):
        a_kernel_leaves_no_trace(Bench(METHODS["ties"]))
