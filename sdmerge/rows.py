"""What methods of `unit="row"` ask of rows: inner products, and ranks within the row.

In numpy and float64, where a row's result does not depend on how many rows stand beside it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def row_gram(stack: Tensor) -> np.ndarray:
    """The inner products [n, n, rows] of the rows of `stack` [n, rows, width], in float64."""
    wide = stack.numpy().astype(np.float64)
    return np.array([[np.add.reduce(a * b, axis=-1) for b in wide] for a in wide])


def cosines(products: np.ndarray) -> np.ndarray:
    """The cosines [n, n, …] that belong to inner products; 0 with a vector of no length."""
    squares = np.einsum("ii...->i...", products)
    lengths = np.sqrt(squares[:, None]) * np.sqrt(squares[None])
    found = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return found.clip(-1.0, 1.0)


def magnitude_ranks(rows: Tensor) -> Tensor:
    """The place of each entry among the magnitudes of its row, from 0 for the smallest.

    Magnitudes equal in float32 are ranked as they stand.
    """
    magnitudes = rows.abs().float().numpy()
    places = np.arange(magnitudes.shape[-1], dtype=np.uint64)
    # bits of positive floats sort as the floats do; the place makes every key a different one
    keys = (magnitudes.view(np.uint32).astype(np.uint64) << np.uint64(32)) | places
    keys.sort(axis=-1)
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    ranks = np.empty(order.shape, np.int64)
    np.put_along_axis(ranks, order, places.astype(np.int64), axis=-1)
    return torch.from_numpy(ranks)  # pyright: ignore[reportUnknownMemberType]
