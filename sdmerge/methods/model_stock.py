"""Model Stock: as far from the base as the models agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sdmerge.fit import Found, Models
from sdmerge.manifest import Rotation
from sdmerge.method import Delta, Deltas, Fitting, Stat, method, total
from sdmerge.rows import cosines, row_gram
from sdmerge.together import Scope, together
from sdmerge.whole import Whole


def inner_products(whole: Whole, filter_wise: bool) -> Tensor | None:
    """The inner products [n, n] of the whole tensors, if they count."""
    return None if filter_wise else torch.as_tensor(whole.gram())


def inner_products_together(models: Models, *, angle: Scope) -> Iterator[Found]:
    """The inner products over all tensors of a block, or of all that the merge is over."""
    yield from together(models, angle, lambda whole: torch.as_tensor(whole.gram()))


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
    stats=inner_products, fit=Fitting(inner_products_together, unless=("angle", "tensor")),
    rotation=Rotation("both", unless=("filter_wise", True)),
)  # fmt: skip
def model_stock(
    deltas: Deltas, products: Stat, *, filter_wise: bool = False,
    angle: Scope = "tensor",  # noqa: ARG001  `products` are made of it
) -> Delta:  # fmt: skip
    """Average the models and go back towards the base, the further the less they agree.

    Jang et al., "Model Stock", 2024: base + t·mean(τ), t = N·cosθ / (1 + (N-1)·cosθ), cosθ the mean
    over all pairs. The formula is for angles of 90° at most: beyond, t turns negative
    and then infinite, so cosθ is taken as 0, which gives the base. A model that learned nothing
    stands at 90° to the others; a single one is taken as it is.

    filter_wise: An angle for each row (each output) of each tensor.
    angle: Otherwise one angle for each tensor, for all of a block, or for all of the model.
    """
    share = ratio(row_gram(deltas) if filter_wise else products.numpy())
    mean = total(deltas) / len(deltas)
    return torch.as_tensor(share, dtype=deltas.dtype).reshape(-1, 1) * mean
