"""A model's tensors brought to the lengths of another's."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

from sdmerge.manifest import Rotation
from sdmerge.method import Stat, Weight, method
from sdmerge.params import Fraction
from sdmerge.rows import row_gram
from sdmerge.whole import Whole


def squared_lengths(whole: Whole, per: str) -> np.ndarray | None:
    """The squared lengths of the two tensors, if they count."""
    return np.diag(whole.gram()) if per == "tensor" else None


@method(
    title="Match norm", paper="https://github.com/54rt1n/ComfyUI-DareMerge", unit="row",
    stats=squared_lengths, rotation=Rotation("both", unless=("per", "row")),
)  # fmt: skip
def match_norm(
    a: Weight, b: Weight, squares: Stat, *, strength: Fraction = 1.0,
    per: Literal["tensor", "row"] = "tensor",
) -> Weight:  # fmt: skip
    """Give every tensor of A the length that it has in B: |B|/|A| · A.

    As DareMerge's "Normalize Model" does. It is a second stage after a merge that shortens or
    lengthens: A is the merged stage, B the model whose lengths are right. A tensor or row of zeros
    stays zero.

    strength: How far the length goes from A's to B's.
    per: What is brought to its length: the whole tensor, or each row (each output) by itself.
    """
    if per == "row":
        products = row_gram(torch.stack([a, b]))
        squares = np.stack([products[0, 0], products[1, 1]])[:, :, None]
    factor = 1.0 + strength * (_ratio(squares) - 1.0)
    return torch.as_tensor(factor, dtype=a.dtype) * a


def _ratio(squares: np.ndarray) -> Any:
    """|B|/|A|, and 1 where A is too short beside B to have a direction in float32."""
    known = squares[0] > 1e-60 * squares[1]
    return np.sqrt(np.where(known, squares[1], 1.0)) / np.sqrt(np.where(known, squares[0], 1.0))
