"""Model Stock: as far from the base as the models agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sdmerge.manifest import Rotation
from sdmerge.method import Delta, Deltas, Stat, Whole, method, total
from sdmerge.rows import cosines, row_gram


def inner_products(whole: Whole, filter_wise: bool) -> np.ndarray | None:
    """The inner products [n, n] of the whole tensors, if they count."""
    return None if filter_wise else whole.gram()


def ratio(products: np.ndarray) -> Any:
    """How far to go from the base to the average: N·cosθ / (1 + (N-1)·cosθ), Jang et al., 2024."""
    count = len(products)
    if count == 1:
        return np.ones(products.shape[2:])
    pairs = np.triu_indices(count, 1)
    cosine = cosines(products)[pairs].mean(axis=0).clip(0.0, 1.0)
    return count * cosine / (1.0 + (count - 1.0) * cosine)


@method(
    title="Model Stock", paper="https://arxiv.org/abs/2403.19522", unit="row",
    stats=inner_products, rotation=Rotation("both", unless=("filter_wise", True)),
)  # fmt: skip
def model_stock(deltas: Deltas, products: Stat, *, filter_wise: bool = False) -> Delta:
    """Average the models and go back towards the base, the further the less they agree.

    Jang et al., "Model Stock", 2024: base + t·mean(τ), t = N·cosθ / (1 + (N-1)·cosθ), cosθ the mean
    over all pairs, per tensor. The formula is for angles of 90° at most: beyond, t turns negative
    and then infinite, so cosθ is taken as 0, which gives the base. A model that learned nothing
    stands at 90° to the others; a single one is taken as it is.

    filter_wise: An angle for each row (each output) instead of one for the tensor.
    """
    share = ratio(row_gram(deltas) if filter_wise else products)
    mean = total(deltas) / len(deltas)
    return torch.as_tensor(share, dtype=deltas.dtype).reshape(-1, 1) * mean
