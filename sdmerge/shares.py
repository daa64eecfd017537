"""Combinations of the inputs, worked out from the inner products between them.

A mean or a median of tensors is Σ sᵢ·xᵢ; its shares sᵢ follow from n × n numbers in float64.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sdmerge.method import total


def counts(weight: Tensor) -> np.ndarray:
    """Weights that are not negative as shares that sum to one; equal ones if all are zero."""
    given = weight.reshape(-1).double().numpy()
    return given / given.sum() if given.any() else np.full(len(given), 1 / len(given))


def dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Σ of left · right over the last dimension; BLAS may round as the memory lies."""
    return np.add.reduce(left * right, axis=-1)


def length(products: np.ndarray, shares: np.ndarray) -> float:
    """‖Σ sᵢ·xᵢ‖ from the inner products [n, n]."""
    return float(np.sqrt(max(float(dot(dot(products, shares), shares)), 0.0)))


def combination(stack: Tensor, shares: np.ndarray) -> Tensor:
    """Σ sᵢ·xᵢ over the first dimension of `stack` [n, *shape]."""
    column = torch.from_numpy(shares).to(stack.dtype)  # pyright: ignore[reportUnknownMemberType]
    return total(column.reshape(-1, *[1] * (stack.ndim - 1)) * stack)


def angles(products: np.ndarray) -> np.ndarray:
    """The angle between A and B from their inner products [..., 2, 2]; 0 where no one arc exists.

    That is where they are parallel, opposite or zero.
    """
    lengths = np.sqrt(np.diagonal(products, axis1=-2, axis2=-1)).prod(-1)
    cosines = np.divide(products[..., 0, 1], lengths, np.ones_like(lengths), where=lengths > 0)
    found = np.arccos(cosines.clip(-1.0, 1.0))
    return np.where(np.sin(found) < 1e-4, 0.0, found)


def along_arc(angle: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """How much of A and of B makes the point at t of the arc; a straight line at angle 0."""
    straight = angle == 0.0
    sine = np.where(straight, 1.0, np.sin(angle))
    return (
        np.where(straight, 1 - t, np.sin((1 - t) * angle) / sine),
        np.where(straight, t, np.sin(t * angle) / sine),
    )
