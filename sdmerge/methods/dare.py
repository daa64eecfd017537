"""DARE: drop most of each task vector at random, and rescale what is left."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from sdmerge.consensus import Vote, disjoint_mean, weighted_sum
from sdmerge.masks import Random
from sdmerge.method import Delta, Deltas, Masks, method
from sdmerge.params import Fraction, Mergekit, PerModel, Scale, Strength


def drop(deltas: Tensor, random: Random, density: float, *, rescale: bool) -> Tensor:
    """Each entry kept with probability `density`, then divided by it (Yu et al., 2024, eq. 2)."""
    kept = torch.where(random.keep(density), deltas, 0.0)
    return kept / torch.as_tensor(density).clamp(min=1e-12) if rescale else kept


@method(title="DARE (linear)", paper="https://arxiv.org/abs/2311.03099")
def dare_linear(
    deltas: Deltas, random: Masks, *, weight: PerModel[Strength] = 1.0,
    density: Annotated[PerModel[Fraction], Mergekit(1.0)] = 0.1, lambda_: Scale = 1.0,
    normalize: bool = False, rescale: bool = True,
) -> Delta:  # fmt: skip
    """Drop entries of each delta at random, rescale the survivors, add them up.

    Yu et al., "Language models are super Mario", 2024. Survivors are divided by the density, that
    is by 1 - p, so that the expected delta stays the same; mergekit matches the L1 norm instead.

    weight: How much of each model's difference from the base is added.
    density: Share of each delta's entries kept; the paper's drop rate p is 1 - density.
    lambda: Scale of the summed difference.
    normalize: Divide by the sum of the weights.
    rescale: Divide the entries that are kept by the density.
    """
    kept = drop(deltas, random, density, rescale=rescale)
    return lambda_ * weighted_sum(kept, weight, normalize=normalize)


@method(title="DARE-TIES", paper="https://arxiv.org/abs/2311.03099")
def dare_ties(
    deltas: Deltas, random: Masks, *, weight: PerModel[Strength] = 1.0,
    density: Annotated[PerModel[Fraction], Mergekit(1.0)] = 0.1, lambda_: Scale = 1.0,
    normalize: Annotated[bool, Mergekit(False)] = True, rescale: bool = True, vote: Vote = "after",
) -> Delta:  # fmt: skip
    """Drop entries at random and rescale, then elect a sign per entry and average those that agree.

    Yu et al., 2024, §3.2: DARE in place of the trimming of TIES (Yadav et al., 2023).

    weight: How much each model counts, in the vote and in the average.
    density: Share of each delta's entries kept; the paper's drop rate p is 1 - density.
    lambda: Scale of the merged difference.
    normalize: Average the entries that agree; otherwise add them up.
    rescale: Divide the entries that are kept by the density.
    vote: What elects the sign: the sum of weighted entries (after), of entries without weights
        (before), or the number of models on each side (count; a tie keeps none).
    """
    kept = drop(deltas, random, density, rescale=rescale)
    return lambda_ * disjoint_mean(kept, weight, vote, normalize=normalize)
