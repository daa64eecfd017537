"""Crossover in frequency, against numpy's full complex transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given

from methods.reference import COUNT, SHAPE, Row, eighths, merge, rows
from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, noise


def share_of_b(place: tuple[int, ...], shape: tuple[int, ...], alpha: float, tilt: float) -> float:
    """For one coefficient of the full transform."""
    heights = [min(k, n - k) / (n // 2) for k, n in zip(place, shape, strict=True) if n > 1]
    height = float(np.sqrt(np.mean(np.square(heights)))) if heights else 0.0
    beyond = height - (1 - alpha)
    if tilt == 0:
        return alpha if beyond == 0 else float(beyond > 0)
    return float(np.clip(alpha + beyond / np.tan(np.pi * tilt / 2), 0, 1))


def crossover(a: np.ndarray, b: np.ndarray, alpha: float, tilt: float) -> np.ndarray:
    share = np.zeros(a.shape)
    for place in np.ndindex(a.shape):
        share[place] = share_of_b(place, a.shape, alpha, tilt)
    mixed = np.fft.ifftn((1 - share) * np.fft.fftn(a) + share * np.fft.fftn(b))
    assert np.abs(mixed.imag).max() < 1e-9
    return mixed.real


@given(rows, rows, eighths, eighths)
def test_low_of_a_and_high_of_b(a: Row, b: Row, alpha: float, tilt: float) -> None:
    found = merge("crossover", [a, b], alpha=alpha, tilt=tilt)
    wanted = crossover(np.array(a).reshape(SHAPE), np.array(b).reshape(SHAPE), alpha, tilt)
    np.testing.assert_allclose(found, wanted.ravel(), atol=5e-6)


@pytest.mark.parametrize("shape", [(1,), (2,), (9,), (5, 7), (4, 1, 3, 3), (5, 4, 1, 1)])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_odd_and_even_sizes(shape: tuple[int, ...], tilt: float) -> None:
    a, b = noise(shape, 1), noise(shape, 2)
    found = Bench(METHODS["crossover"]).merge([a, b], values={"alpha": 0.4, "tilt": tilt})
    wanted = crossover(a.double().numpy(), b.double().numpy(), 0.4, tilt)
    np.testing.assert_allclose(found.numpy(), wanted, atol=5e-6)


def test_the_mean_stays_a_s_and_a_full_tilt_is_a_weighted_sum() -> None:
    a, b = [float(place) for place in range(COUNT)], [float(place % 2) for place in range(COUNT)]
    assert np.mean(merge("crossover", [a, b], alpha=0.9)) == pytest.approx(np.mean(a), rel=1e-6)
    tilted = merge("crossover", [a, b], alpha=0.3, tilt=1.0)
    np.testing.assert_allclose(tilted, 0.7 * np.array(a) + 0.3 * np.array(b), atol=1e-5)


@given(rows, rows, rows, eighths, eighths)
def test_distributions_cross_in_the_order_of_c(
    a: Row, b: Row, c: Row, alpha: float, beta: float
) -> None:
    order = sorted(range(COUNT), key=lambda place: c[place])
    one, two = np.fft.fft([a[place] for place in order]), np.fft.fft([b[place] for place in order])
    mixed, count = np.zeros(COUNT, complex), COUNT // 2 + 1
    for k in range(COUNT):
        height = min(k, COUNT - k) / count
        share = np.clip((height - alpha) / beta + 0.5, 0, 1) if beta else float(height >= alpha)
        mixed[k] = (1 - share) * one[k] + share * two[k]
    wanted = np.zeros(COUNT)
    wanted[order] = np.fft.ifft(mixed).real
    found = merge("distribution_crossover", [a, b, c], alpha=alpha, beta=beta)
    np.testing.assert_allclose(found, wanted, atol=5e-6)


def test_the_ends_of_a_distribution_crossover() -> None:
    a, b, c = (noise((6, 7), seed) for seed in (1, 2, 3))
    bench = Bench(METHODS["distribution_crossover"])
    assert torch.equal(bench.merge([a, b, c], values={"alpha": 1.0}), a)
    np.testing.assert_allclose(bench.merge([a, b, c], values={"alpha": 0.0}), b, atol=1e-6)
