"""Matrices for the spectral methods, and what their papers make of them, with numpy's own SVD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sdmerge.methods import METHODS
from sdmerge.place import Place
from sdmerge.testing.bench import Bench, Value

Matrix = np.ndarray
SHAPES = [(8, 6), (6, 8), (12, 5), (4, 3, 3, 3), (7, 9, 1, 1)]
"""Wide, tall, and convolutions; none is square, so that no side is taken for the other."""


def draw(count: int, shape: Sequence[int] = (8, 6), seed: int = 0) -> list[Matrix]:
    """Random deltas, in numbers that single precision holds."""
    source = np.random.default_rng([seed, count, *shape])
    return [source.standard_normal(shape).astype(np.float32).astype(float) for _ in range(count)]


def merge(name: str, deltas: Sequence[Matrix], **values: Value) -> Matrix:
    """The method's result for deltas; `lambda_` is `lambda`."""
    given = {key.rstrip("_"): value for key, value in values.items()}
    tensors = [torch.from_numpy(np.array(delta)).float() for delta in deltas]
    merged = Bench(METHODS[name]).merge(tensors, torch.zeros_like(tensors[0]), given)
    assert merged.dtype == torch.float32
    return merged.double().numpy()


def body(name: str, deltas: Sequence[Matrix], **values: Value) -> Matrix:
    """The method's own formula in float64."""
    method, stack = METHODS[name], torch.from_numpy(np.stack(deltas))
    here = [Place(0, stack[0].numel(), stack[0].shape)] if method.placed else []
    masks = [None] * method.spec.random
    return method.body(stack, *here, *masks, **values).numpy()


def flat(deltas: Sequence[Matrix]) -> list[Matrix]:
    """Each delta as [out, rest]."""
    return [delta.reshape(len(delta), -1) for delta in deltas]


def orthogonal(size: int, seed: int = 0) -> Matrix:
    """A random rotation."""
    return np.linalg.qr(draw(1, (size, size), seed)[0])[0]


def svd(matrix: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    return np.linalg.svd(matrix, full_matrices=False)


def whiten(matrix: Matrix) -> Matrix:
    """P·Qᵀ of the SVD P·D·Qᵀ, as the papers write it."""
    left, _, right = svd(matrix)
    return left @ right


def close(found: Matrix, wanted: Matrix, off: float = 2e-5) -> None:
    """Equal, but for `off` of the largest entry."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=off * np.abs(wanted).max())


def same_whatever_lapack_chooses(name: str, deltas: Sequence[Matrix], **values: Value) -> None:
    """A change in the last digits makes LAPACK turn singular vectors of equal values at will."""
    wanted = body(name, deltas, **values)
    for seed in range(5):
        change = draw(len(deltas), deltas[0].shape, 100 + seed)
        nudged = [delta + 1e-14 * noise for delta, noise in zip(deltas, change, strict=True)]
        close(body(name, nudged, **values), wanted, 1e-7)
