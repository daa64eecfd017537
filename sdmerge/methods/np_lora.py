"""NP-LoRA: the content keeps off the directions that the style reads."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from sdmerge.method import Delta, method
from sdmerge.params import Fraction, PerModel, Range, Strength
from sdmerge.spectrum import as_matrix, one_thread, svd

Penalty = Annotated[float, Range(0.0, 4.0, limits=(0.0, 1e6))]


@method(title="NP-LoRA", paper="https://arxiv.org/abs/2511.11051", unit="tensor", rotation="both")
def np_lora(
    a: Delta, b: Delta, *, weight: PerModel[Strength] = 1.0, mu: Penalty = 0.5,
    energy: Fraction = 1.0,
) -> Delta:  # fmt: skip
    """Add A's difference (content) to B's (style), less of it in the directions that B reads.

    "NP-LoRA: Null Space Projection Unifies Subject and Style in LoRA Fusion", 2025:
    ΔW = ΔW_b + ΔW_a (I - μ/(1+μ)·VVᵀ), where V spans the row space of ΔW_b. No data is needed. A
    convolution is the matrix [out, in · height · width]; vectors are added. A full fine-tune as B
    reads in every direction, which would only scale A: there `energy` below 1 takes the strongest.

    weight: How much of each difference is added.
    mu: How much of A gives way to B: 0 adds both, a large number leaves nothing of A where B reads.
    energy: Share of B's squared length in the directions that A gives way in, the strongest first.
    """
    share_a, share_b = (float(one) for one in torch.as_tensor(weight).reshape(-1))
    content, style = share_a * a, share_b * b
    if a.dim() < 2:
        return style + content
    shared = _projected(as_matrix(content), as_matrix(style), energy).reshape(a.shape).to(a.dtype)
    return style + content - mu / (1 + mu) * shared


@one_thread()
def _projected(content: Tensor, style: Tensor, energy: float) -> Tensor:
    """The content's part in the strongest directions of the style's row space."""
    found = svd(style)
    squares = found.values.square()
    before = squares.cumsum(0) - squares
    # equal values stay together: LAPACK chooses the vectors among them
    kept = found.right[before <= (energy - _ROUNDING) * squares.sum()]
    return content @ kept.T @ kept


_ROUNDING = 1e-9
