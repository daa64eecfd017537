"""Mixes by how similar the models' columns are."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from sdmerge.method import Here, Stat, Weight, Whole, method
from sdmerge.params import Fraction, Range

Similarity = Annotated[float, Range(0.0, 1.0, limits=(-1.0, 1.0))]

_COSINE = "https://github.com/hako-mikan/sd-webui-supermerger/blob/main/calcmode_en.md#cosine"


def _cosines(products: np.ndarray) -> np.ndarray:
    """The cosine [...] of two vectors from their inner products [..., 2, 2]; 0 beside a zero."""
    lengths = np.sqrt(products[..., 0, 0] * products[..., 1, 1])
    return np.divide(products[..., 0, 1], lengths, np.zeros_like(lengths), where=lengths > 0)


def alike_by_column(whole: Whole) -> np.ndarray:
    """Per column the mean of its cosine and of that of the tensors with columns of length 1."""
    products = whole.gram_by("column")
    cosines = _cosines(products)
    there = (np.diagonal(products, axis1=1, axis2=2) > 0).sum(0)
    return (cosines + cosines.sum() / max(np.sqrt(there.prod()), 1.0)) / 2


def alike_as_they_are(whole: Whole) -> np.ndarray:
    """Per column the mean of its cosine and of that of the whole tensors."""
    products = whole.gram_by("column")
    return (_cosines(products) + _cosines(products.sum(0))) / 2


def _mix(a: Tensor, b: Tensor, share: np.ndarray, here: Here) -> Tensor:
    kept = torch.from_numpy(share.clip(0.0, 1.0)).to(a.dtype)[here.of("column")]
    return kept * a + (1 - kept) * b


def _stretch(alike: np.ndarray, low: float, high: float) -> np.ndarray:
    return (alike - low) / max(high - low, 1e-6)


@method(title="Cosine A", paper=_COSINE, stats=alike_by_column)
def cosine_a(
    a: Weight, b: Weight, alike: Stat, here: Here, *, alpha: Fraction = 0.5,
    low: Similarity = 0.0, high: Similarity = 1.0,
) -> Weight:  # fmt: skip
    """Keep A where the models are similar and take B where they are not: k·A + (1-k)·B.

    k = (s - low)/(high - low) - α, held within 0 and 1; s is the mean of the cosine of A's and B's
    column (what one input gives to all outputs) and of that of the whole tensors, their columns
    scaled to length 1. A is base_model if the recipe has one. supermerger takes low and high from
    the models, the 1st and 99th percentile over all tensors, sd-mecha has 0 and 1.

    alpha: What is taken off A's share everywhere; at 1 all is B.
    low: The similarity at which A's share is nothing.
    high: The similarity at which A's share is all, before alpha is taken off.
    """
    return _mix(a, b, _stretch(alike, low, high) - alpha, here)


@method(title="Cosine B", paper=_COSINE, stats=alike_as_they_are)
def cosine_b(
    a: Weight, b: Weight, alike: Stat, here: Here, *, alpha: Fraction = 0.5,
    low: Similarity = 0.0, high: Similarity = 1.0,
) -> Weight:  # fmt: skip
    """Keep A where the models are similar and take B where they are not, by the lengths too.

    As cosine_a, but the cosine of the whole tensors is taken as they are, so that long columns
    count more in it.

    alpha: What is taken off A's share everywhere; at 1 all is B.
    low: The similarity at which A's share is nothing.
    high: The similarity at which A's share is all, before alpha is taken off.
    """
    return _mix(a, b, _stretch(alike, low, high) - alpha, here)
