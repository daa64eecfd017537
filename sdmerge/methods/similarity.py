"""Differences added where models differ, averages where they are alike."""

from __future__ import annotations

from typing import Annotated

import torch

from sdmerge.method import Weight, method
from sdmerge.params import Fraction, Range


@method(title="Similarity add difference", paper="https://github.com/s1dlx/meh")
def similarity_add_difference(
    a: Weight, b: Weight, c: Weight, *,
    alpha: Annotated[float, Range(0.0, 1.0, limits=(-1.0, 2.0))] = 0.5, beta: Fraction = 0.5,
) -> Weight:  # fmt: skip
    """Add α·(B-C) to A where A and B differ; where they are alike, average them instead.

    (1-s)·(A + α·(B-C)) + s·((1-α/2)·A + α/2·B), number by number, with the similarity
    s = β·(A·B / max(|A|, |B|)² + 1)/2. Two zeros are alike. A is base_model if the recipe has one.

    alpha: How much of the difference is added; half of it is B's share of the average.
    beta: How much the average counts where A and B are equal.
    """
    larger = torch.maximum(a.abs(), b.abs())
    alike = torch.where(larger > 0, (a / larger) * (b / larger), 1.0)
    share = beta * (alike + 1) / 2
    return (1 - share) * (a + alpha * (b - c)) + share * ((1 - alpha / 2) * a + alpha / 2 * b)
