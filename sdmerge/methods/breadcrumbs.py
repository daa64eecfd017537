"""Model Breadcrumbs: neither the outliers of a task vector nor its smallest entries."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from sdmerge.consensus import Vote, disjoint_mean, weighted_sum
from sdmerge.method import Delta, Deltas, Stat, method
from sdmerge.params import Fraction, Mergekit, PerModel, Range, Scale, Strength
from sdmerge.whole import Whole

Outliers = Annotated[float, Range(0.0, 0.2, limits=(0.0, 1.0))]


def kept_band(whole: Whole, density: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
    """Per delta the smallest and the largest magnitude that is kept, [n, 1] each."""
    numel = whole.numel
    # a hair off, so that 0.07 * 100 keeps 7 entries and not 8, and 0.29 * 100 drops 29
    kept = [math.ceil(float(share) * numel - 1e-6) for share in density.reshape(-1)]
    dropped = [math.floor(float(share) * numel + 1e-6) for share in gamma.reshape(-1)]
    above = [min(top, numel - count) for top, count in zip(dropped, kept, strict=True)]
    ends = [(n and n + top, top and top + 1) for n, top in zip(kept, above, strict=True)]
    found = whole.kth_magnitudes(ends)
    low, high = found[:, :1], found[:, 1:]
    if numel - 1 in above:  # the smallest entry alone
        smallest, _ = whole.extremes(np.abs)
        high = torch.maximum(high, torch.as_tensor(smallest).reshape(-1, 1).to(high.dtype))
    return low, high


def sparsify(deltas: Tensor, band: tuple[Tensor, Tensor]) -> Tensor:
    """Zero outside the band (Davari and Belilovsky, 2024)."""
    low, high = band
    sizes = deltas.abs().float()  # as the band was measured
    return torch.where((sizes >= low) & (sizes <= high), deltas, 0.0)


@method(title="Model Breadcrumbs", paper="https://arxiv.org/abs/2312.06795", stats=kept_band)
def breadcrumbs(
    deltas: Deltas, band: Stat, *, weight: PerModel[Strength] = 1.0,
    density: Annotated[PerModel[Fraction], Mergekit(1.0)] = 0.9,  # noqa: ARG001  `band` is made of it
    gamma: PerModel[Outliers] = 0.01,  # noqa: ARG001
    lambda_: Scale = 1.0, normalize: bool = False,
) -> Delta:  # fmt: skip
    """Drop the largest and the smallest entries of each delta, and add up what is left.

    Davari and Belilovsky, "Model Breadcrumbs", 2024, per tensor. The defaults are what mergekit
    advises. Entries as large as one that is kept are kept too; in half precision many are equal.

    weight: How much of each model's difference from the base is added.
    density: Share of each delta's entries kept.
    gamma: Share of the largest entries dropped, at most 1 - density; the smallest make up the rest.
    lambda: Scale of the summed difference.
    normalize: Divide by the sum of the weights.
    """
    return lambda_ * weighted_sum(sparsify(deltas, band), weight, normalize=normalize)


@method(title="Breadcrumbs + TIES", paper="https://arxiv.org/abs/2312.06795", stats=kept_band)
def breadcrumbs_ties(
    deltas: Deltas, band: Stat, *, weight: PerModel[Strength] = 1.0,
    density: Annotated[PerModel[Fraction], Mergekit(1.0)] = 0.9,  # noqa: ARG001  `band` is made of it
    gamma: PerModel[Outliers] = 0.01,  # noqa: ARG001
    lambda_: Scale = 1.0, normalize: bool = False, vote: Vote = "after",
) -> Delta:  # fmt: skip
    """Drop the largest and the smallest entries of each delta, then elect a sign per entry.

    Breadcrumbs (Davari and Belilovsky, 2024) in place of the trimming of TIES (Yadav et al., 2023),
    as in mergekit.

    weight: How much each model counts, in the vote and in the sum.
    density: Share of each delta's entries kept.
    gamma: Share of the largest entries dropped, at most 1 - density; the smallest make up the rest.
    lambda: Scale of the merged difference.
    normalize: Average the entries that agree; otherwise add them up.
    vote: What elects the sign: the sum of weighted entries (after), of entries without weights
        (before), or the number of models on each side (count; a tie keeps none).
    """
    return lambda_ * disjoint_mean(sparsify(deltas, band), weight, vote, normalize=normalize)
