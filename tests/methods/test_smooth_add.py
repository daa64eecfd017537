"""smooth_add: a median and a Gaussian filter over all dimensions, written out index by index."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from sdmerge.methods import METHODS, smooth_add
from sdmerge.testing.bench import Bench, grid


def thrown_back(place: int, size: int) -> int:
    """d c b a | a b c d | d c b a, as far out as one likes."""
    while not 0 <= place < size:
        place = -1 - place if place < 0 else 2 * size - 1 - place
    return place


def around(index: Sequence[int], steps: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    where = zip(index, steps, shape, strict=True)
    return tuple(thrown_back(place + step, size) for place, step, size in where)


def smoothed(difference: np.ndarray) -> np.ndarray:
    """median_filter(size=3) and gaussian_filter(sigma=1, truncate=4) of an image library."""
    shape = difference.shape
    middle, result = np.zeros(shape), np.zeros(shape)
    for index in np.ndindex(shape):
        window = [
            difference[around(index, steps, shape)]
            for steps in itertools.product((-1, 0, 1), repeat=len(shape))
        ]
        middle[index] = sorted(window)[len(window) // 2]
    bell = {step: math.exp(-step * step / 2) for step in range(-4, 5)}
    height = sum(bell.values())
    for axis, _ in enumerate(shape):
        result = np.zeros(shape)
        for index, (step, weight) in itertools.product(np.ndindex(shape), bell.items()):
            steps = [step * (axis == other) for other in range(len(shape))]
            result[index] += weight / height * middle[around(index, steps, shape)]
        middle = result
    return middle


def add(a: torch.Tensor, b: torch.Tensor, base: torch.Tensor, alpha: float = 1.0) -> np.ndarray:
    merged = Bench(METHODS["smooth_add"]).merge([a, b], base, {"alpha": alpha})
    assert merged.shape == a.shape
    return merged.double().numpy()


@pytest.mark.parametrize("alpha", [1.0, -0.5])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (6, 5), (4, 3, 1, 1), (3, 2, 3, 3), (1, 5)])
def test_it_filters_along_every_dimension(shape: tuple[int, ...], alpha: float) -> None:
    a, b, base = (grid(shape, seed) for seed in (1, 2, 3))
    wanted = a.double().numpy() + alpha * smoothed((b - base).double().numpy())
    np.testing.assert_allclose(add(a, b, base, alpha), wanted, rtol=1e-5, atol=1e-6)


def test_a_ramp_as_scipys_manual_shows_it() -> None:
    """gaussian_filter1d([1, 2, 3, 4, 5], 1); a ramp is its own median."""
    none = torch.zeros(5)
    found = add(none, torch.arange(1.0, 6.0), none)
    wanted = [1.42704095, 2.06782203, 3.0, 3.93217797, 4.57295905]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_spike_is_lost_and_a_plateau_stays() -> None:
    none = torch.zeros(9, 9)
    spike, plateau = none.clone(), none + 0.5
    spike[4, 4] = 100.0
    assert not add(none, spike, none).any()
    np.testing.assert_allclose(add(none, plateau, none), plateau, rtol=1e-6)


def test_large_tensors_go_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, base = (grid((9, 4, 3), seed) for seed in (1, 2, 3))
    wanted = add(a, b, base)
    monkeypatch.setattr(smooth_add, "CHUNK", 4 * 3 * 27 * 2)
    np.testing.assert_array_equal(add(a, b, base), wanted)
