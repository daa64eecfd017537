"""DELLA: drop small entries more often than large ones."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from sdmerge.consensus import Vote, disjoint_mean, weighted_sum
from sdmerge.masks import Random
from sdmerge.method import Delta, Deltas, Masks, method
from sdmerge.params import Fraction, Mergekit, PerModel, Range, Scale, Strength
from sdmerge.rows import magnitude_ranks

Window = Annotated[float, Range(0.0, 0.5)]


def chances(ranks: Tensor, width: int, density: float | Tensor, epsilon: float | Tensor) -> Tensor:
    """How likely the entries of these ranks [n, …] are kept: MAGPRUNE (Deep et al., 2024).

    From density - ε for the smallest entry of a row to density + ε for the largest, in equal steps.
    """
    middle = torch.as_tensor(density, dtype=torch.float64)
    reach = torch.as_tensor(epsilon, dtype=torch.float64)
    reach = torch.minimum(reach, torch.minimum(middle, 1.0 - middle))
    if width == 1:
        return middle + torch.zeros_like(ranks)
    return middle + reach * (2.0 * ranks.double() / (width - 1) - 1.0)


def drop(
    deltas: Tensor, random: Random, density: float, epsilon: float, *, rescale: bool
) -> Tensor:
    """Each entry kept with its own chance, then divided by it."""
    chance = chances(magnitude_ranks(deltas), deltas.shape[-1], density, epsilon)
    kept = torch.where(random.keep(chance), deltas, 0.0)
    return kept / chance.to(deltas.dtype).clamp(min=1e-12) if rescale else kept


@method(title="DELLA", paper="https://arxiv.org/abs/2406.11617", unit="row")
def della(
    deltas: Deltas, random: Masks, *, weight: PerModel[Strength] = 1.0,
    density: Annotated[PerModel[Fraction], Mergekit(1.0)] = 0.7,
    epsilon: Annotated[PerModel[Window], Mergekit(0.15)] = 0.07, lambda_: Scale = 1.0,
    normalize: bool = True, rescale: bool = True, vote: Vote = "after",
) -> Delta:  # fmt: skip
    """Drop small entries more often than large ones, then elect a sign and average what agrees.

    Deep et al., "DELLA-Merging", 2024: drop, elect, fuse. Entries are ranked within their row, a
    row being all that makes one output; what is kept is divided by its own chance, so that the
    expected delta stays the same. mergekit matches the L1 norm instead, and ranks convolutions over
    their input channels. Where density ± epsilon would leave 0…1, epsilon is narrowed. The defaults
    are those of the authors' example.

    weight: How much each model counts, in the vote and in the average.
    density: Share of each delta's entries kept, on average; the paper's drop rate p is 1 - density.
    epsilon: How far the chance of the largest entry lies above the density, and that of the
        smallest below it; half the window ε of the paper.
    lambda: Scale of the merged difference.
    normalize: Average the entries that agree; otherwise add them up.
    rescale: Divide the entries that are kept by their chance.
    vote: What elects the sign: the sum of weighted entries (after), of entries without weights
        (before), or the number of models on each side (count; a tie keeps none).
    """
    kept = drop(deltas, random, density, epsilon, rescale=rescale)
    return lambda_ * disjoint_mean(kept, weight, vote, normalize=normalize)


@method(title="DELLA (linear)", paper="https://arxiv.org/abs/2406.11617", unit="row")
def della_linear(
    deltas: Deltas, random: Masks, *, weight: PerModel[Strength] = 1.0,
    density: Annotated[PerModel[Fraction], Mergekit(1.0)] = 0.7,
    epsilon: Annotated[PerModel[Window], Mergekit(0.15)] = 0.07, lambda_: Scale = 1.0,
    normalize: bool = False, rescale: bool = True,
) -> Delta:  # fmt: skip
    """Drop small entries of each delta more often than large ones, rescale the rest, add them up.

    Deep et al., 2024, without the election of signs: see `della`.

    weight: How much of each model's difference from the base is added.
    density: Share of each delta's entries kept, on average; the paper's drop rate p is 1 - density.
    epsilon: How far the chance of the largest entry lies above the density, and that of the
        smallest below it; half the window ε of the paper.
    lambda: Scale of the summed difference.
    normalize: Divide by the sum of the weights.
    rescale: Divide the entries that are kept by their chance.
    """
    kept = drop(deltas, random, density, epsilon, rescale=rescale)
    return lambda_ * weighted_sum(kept, weight, normalize=normalize)
