"""Rotate: orthogonal Procrustes and powers of its rotation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, Value, noise

TALL, SQUARE, WIDE, WIDER = (40, 6), (12, 12), (7, 10), (5, 30)
SHAPES = [TALL, SQUARE, WIDE, WIDER]


def rotate(a: Tensor, b: Tensor, **values: Value) -> np.ndarray:
    return Bench(METHODS["rotate"]).merge([a, b], values=values).double().numpy()


def pair(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """B is A turned by half a radian or so, and then changed."""
    a, size = noise(shape, 1), shape[-1]
    twist = noise((size, size), 5) / size
    return a, a @ torch.matrix_exp(twist - twist.T) + 0.2 * noise(shape, 2) + 0.5


def centred(tensor: Tensor | np.ndarray) -> np.ndarray:
    rows = np.asarray(tensor, dtype=np.float64)
    return rows - rows.mean(0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alignment", [1.0, 0.4])
def test_distances_between_neurons_stay(shape: tuple[int, ...], alignment: float) -> None:
    a, b = pair(shape)
    found, old = centred(rotate(a, b, alignment=alignment)), centred(a)
    np.testing.assert_allclose(found @ found.T, old @ old.T, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_rotation_comes_nearer(shape: tuple[int, ...]) -> None:
    """The least ‖A·Q - B‖² is ‖A‖² + ‖B‖² - 2·(sum of the singular values of Aᵀ·B)."""
    a, b = pair(shape)
    found, x, y = centred(rotate(a, b)), centred(a), centred(b)
    least = (x**2).sum() + (y**2).sum() - 2 * np.linalg.svd(x.T @ y, compute_uv=False).sum()
    assert ((found - y) ** 2).sum() == pytest.approx(least, rel=1e-5)
    np.testing.assert_allclose(rotate(a, b).mean(0), b.mean(0), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_parts_of_the_way_make_the_whole(shape: tuple[int, ...]) -> None:
    a, b = pair(shape)
    half = rotate(a, b, alignment=0.5)
    np.testing.assert_allclose(rotate(torch.tensor(half).float(), b), rotate(a, b), atol=2e-5)
    steps = [rotate(a, b, alignment=share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    np.testing.assert_allclose(steps[0], a, atol=1e-6)
    along = [np.linalg.norm(np.subtract(*two)) for two in pairwise(steps)]
    np.testing.assert_allclose(along, np.mean(along), rtol=1e-4)


def turn(angle: float) -> Tensor:
    """A rotation of the first two of three axes."""
    c, s = np.cos(angle), np.sin(angle)
    return torch.tensor([[c, s, 0], [-s, c, 0], [0, 0, 1]], dtype=torch.float32)


@pytest.mark.parametrize("angle", [0.001, 1.0, 3.0])
@pytest.mark.parametrize("alignment", [0.25, 0.5, 1.5, -0.5])
def test_a_share_of_a_known_rotation(angle: float, alignment: float) -> None:
    a = noise((9, 3), 1)
    found = rotate(a, a @ turn(angle), alignment=alignment)
    np.testing.assert_allclose(centred(found), centred(a @ turn(alignment * angle)), atol=1e-5)


def test_a_mirrored_direction_passes_through_zero() -> None:
    a = noise((9, 3), 1)
    mirrored = a * torch.tensor([1.0, 1.0, -1.0])
    np.testing.assert_allclose(rotate(a, mirrored), mirrored, atol=1e-5)
    half = centred(rotate(a, mirrored, alignment=0.5))
    np.testing.assert_allclose(half, centred(a) * [1, 1, 0], atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_alpha_mixes_b_in(shape: tuple[int, ...]) -> None:
    a, b = pair(shape)
    mixed = rotate(a, b, alpha=0.25)
    np.testing.assert_allclose(mixed, 0.75 * rotate(a, b) + 0.25 * b.numpy(), atol=1e-5)
    np.testing.assert_allclose(rotate(a, b, alpha=1.0), b, atol=1e-5)
    # not turned at all, B comes back to A: the shape that B would have in A's position
    back = rotate(b, a) if shape == TALL else None
    if back is not None:
        np.testing.assert_allclose(
            centred(rotate(a, b, alignment=0.0, alpha=1.0)), centred(back), atol=1e-5
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_close_and_equal_models_hardly_turn(shape: tuple[int, ...]) -> None:
    a = noise(shape, 1)
    np.testing.assert_allclose(rotate(a, a, alignment=0.3), a, atol=1e-6)
    near = a + 1e-6 * noise(shape, 2)
    for alignment in (0.5, 1.0):
        np.testing.assert_allclose(rotate(a, near, alignment=alignment), a, atol=1e-5)


def test_directions_that_are_free_stay() -> None:
    """B uses one axis of three: A's other two are not turned about it."""
    a, b = noise((9, 3), 1), torch.zeros(9, 3)
    a = a - a.mean(0)
    a = torch.linalg.qr(a)[0]  # columns that have nothing in common
    b[:, 0] = a[:, 0]
    np.testing.assert_allclose(rotate(a, b), a, atol=1e-6)
    np.testing.assert_allclose(rotate(a, torch.zeros(9, 3)), a, atol=1e-6)


def test_kernels_are_points() -> None:
    a, b = noise((4, 5, 3, 3), 1), noise((4, 5, 3, 3), 2)
    found = rotate(a, b).reshape(20, 9)
    np.testing.assert_allclose(found, rotate(a.reshape(20, 9), b.reshape(20, 9)), atol=1e-6)
    flat = rotate(a[:, :, :1, :1], b[:, :, :1, :1]).reshape(4, 5)
    np.testing.assert_allclose(flat, rotate(a[:, :, 0, 0], b[:, :, 0, 0]), atol=1e-6)


def test_a_bias_is_mixed() -> None:
    a, b = noise((6,), 1), noise((6,), 2)
    np.testing.assert_allclose(rotate(a, b), a)
    np.testing.assert_allclose(rotate(a, b, alpha=0.25), 0.75 * a + 0.25 * b, atol=1e-6)
