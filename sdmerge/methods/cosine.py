"""Mixes by how similar the models' columns are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sdmerge.fit import Found, Models
from sdmerge.method import Fitting, Here, Stat, Weight, method
from sdmerge.params import Fraction
from sdmerge.whole import Whole

Stretch = Literal["model", "none"]

_COSINE = "https://github.com/hako-mikan/sd-webui-supermerger/blob/main/calcmode_en.md#cosine"


def _cosines(products: np.ndarray) -> np.ndarray:
    """The cosine [...] of two vectors from their inner products [..., 2, 2]; 0 beside a zero."""
    lengths = np.sqrt(products[..., 0, 0] * products[..., 1, 1])
    return np.divide(products[..., 0, 1], lengths, np.zeros_like(lengths), where=lengths > 0)


def alike_by_column(whole: Whole) -> Tensor:
    """Per column the mean of its cosine and of that of the tensors with columns of length 1."""
    products = whole.gram_by("column")
    cosines = _cosines(products)
    there = (np.diagonal(products, axis1=1, axis2=2) > 0).sum(0)
    return torch.from_numpy((cosines + cosines.sum() / max(np.sqrt(there.prod()), 1.0)) / 2)  # pyright: ignore[reportUnknownMemberType]


def alike_as_they_are(whole: Whole) -> Tensor:
    """Per column the mean of its cosine and of that of the whole tensors."""
    products = whole.gram_by("column")
    return torch.from_numpy((_cosines(products) + _cosines(products.sum(0))) / 2)  # pyright: ignore[reportUnknownMemberType]


def _stretched(alike: Callable[[Whole], Tensor]) -> Fitting:
    """The similarities, stretched so that their 1st percentile is 0 and their 99th is 1."""

    def find(models: Models) -> Iterator[Found]:
        found: dict[str, Tensor] = {}
        for number, key in enumerate(models.shapes):
            models.report(number / len(models.shapes))
            found[key] = alike(models.whole(key))
        low, high = np.quantile(torch.cat([*found.values()]).numpy(), [0.01, 0.99])
        if high - low < 1e-9:  # all are alike to the same degree
            low, high = 0.0, 1.0
        for key, similarity in found.items():
            yield key, (similarity - low) / (high - low)

    return Fitting(find, unless=("stretch", "none"))


def _mix(a: Tensor, b: Tensor, kept: Tensor, here: Here) -> Tensor:
    share = kept.clamp(0.0, 1.0).to(a.dtype)[here.of("column")]
    return share * a + (1 - share) * b


@method(
    title="Cosine A", paper=_COSINE, stats=alike_by_column, fit=_stretched(alike_by_column)
)  # fmt: skip
def cosine_a(
    a: Weight, b: Weight, alike: Stat, here: Here, *, alpha: Fraction = 0.5,
    stretch: Stretch = "model",  # noqa: ARG001  `alike` is made by it
) -> Weight:  # fmt: skip
    """Keep A where the models are similar and take B where they are not: k·A + (1-k)·B.

    k = s - α, held within 0 and 1; s is the mean of the cosine of A's and B's column (what one
    input gives to all outputs) and of that of the whole tensors, their columns scaled to length 1.
    A is base_model if the recipe has one. supermerger stretches by percentiles of another
    similarity than it uses, the cosines of the columns alone; here they are of the same.

    alpha: What is taken off A's share everywhere; at 1 all is B.
    stretch: `model` stretches the similarities so that the 1st percentile over all tensors is 0 and
        the 99th 1, unless all are the same; `none` takes them as they are, as sd-mecha does.
    """
    return _mix(a, b, alike - alpha, here)


@method(
    title="Cosine B", paper=_COSINE, stats=alike_as_they_are, fit=_stretched(alike_as_they_are)
)  # fmt: skip
def cosine_b(
    a: Weight, b: Weight, alike: Stat, here: Here, *, alpha: Fraction = 0.5,
    stretch: Stretch = "model",  # noqa: ARG001  `alike` is made by it
) -> Weight:  # fmt: skip
    """Keep A where the models are similar and take B where they are not, by the lengths too.

    As cosine_a, but the cosine of the whole tensors is taken as they are, so that long columns
    count more in it.

    alpha: What is taken off A's share everywhere; at 1 all is B.
    stretch: `model` stretches the similarities so that the 1st percentile over all tensors is 0 and
        the 99th 1, unless all are the same; `none` takes them as they are, as sd-mecha does.
    """
    return _mix(a, b, alike - alpha, here)
