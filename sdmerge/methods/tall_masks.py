"""Consensus merging: entries that matter to one model alone, or to none, stay with the base."""

from __future__ import annotations

from typing import Annotated

import torch

from sdmerge.method import Delta, Deltas, method, total
from sdmerge.params import Fraction, PerModel, Range, Scale, Strength

Agreeing = Annotated[int, Range(0, 4, limits=(0, 100))]


@method(title="Consensus TA (TALL masks)", paper="https://arxiv.org/abs/2405.07813")
def consensus(
    deltas: Deltas, *, weight: PerModel[Strength] = 1.0, lambda_: Scale = 1.0, k: Agreeing = 2,
    tall_mask_lambda: Fraction = 0.4,
) -> Delta:  # fmt: skip
    """Add up the deltas, and keep the entries that matter to at least k of the models.

    Wang et al., "Localizing task information", 2024: with τ the sum, an entry matters to a model if
    |τᵢ| ≥ tall_mask_lambda·|τ - τᵢ| (its TALL mask). wᵢ·τᵢ stands for τᵢ. The paper picks
    tall_mask_lambda among 0.2 … 0.6 by validation.

    weight: How much of each model's difference from the base is added.
    lambda: Scale of the summed difference.
    k: How many models an entry has to matter to: 2 drops selfish and catastrophic entries, 1 only
        catastrophic ones, 0 none. At most all models whose weight is not zero.
    tall_mask_lambda: How large a model's own entry has to be beside all others.
    """
    own = weight * deltas  # [n, *shape]
    summed = total(own)
    matters = own.abs() >= tall_mask_lambda * (summed - own).abs()
    most = int(torch.count_nonzero(torch.as_tensor(weight).broadcast_to(len(deltas), 1)))
    votes = total(matters.to(deltas.dtype))
    return lambda_ * torch.where(votes >= min(k, most), summed, 0.0)
