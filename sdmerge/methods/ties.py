"""TIES: task vectors that do not fight each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from sdmerge.consensus import Vote, disjoint_mean
from sdmerge.fit import Found, Models
from sdmerge.method import Delta, Deltas, Fitting, Stat, method
from sdmerge.params import Fraction, Mergekit, PerModel, Scale, Strength
from sdmerge.together import Scope, together
from sdmerge.whole import Whole


def smallest_kept(whole: Whole, density: Tensor) -> Tensor:
    """Per delta the smallest magnitude [n, 1] among the share `density` that is kept."""
    # a hair less, so that 0.07 * 100 keeps 7 entries and not 8
    counts = [math.ceil(float(share) * whole.numel - 1e-6) for share in density.reshape(-1)]
    return whole.kth_magnitudes([[count] for count in counts])


def smallest_kept_together(models: Models, *, density: Tensor, trim: Scope) -> Iterator[Found]:
    """The same magnitude for all tensors of a block, or of all that the merge is over."""
    yield from together(models, trim, lambda whole: smallest_kept(whole, density), passes=2)


TOGETHER = Fitting(smallest_kept_together, unless=("trim", "tensor"))


@method(title="TIES", paper="https://arxiv.org/abs/2306.01708", stats=smallest_kept, fit=TOGETHER)
def ties(
    deltas: Deltas, cut: Stat, *, weight: PerModel[Strength] = 1.0,
    density: Annotated[PerModel[Fraction], Mergekit(1.0)] = 0.2,  # noqa: ARG001  `cut` is made of it
    lambda_: Scale = 1.0, normalize: bool = True, vote: Vote = "after",
    trim: Scope = "tensor",  # noqa: ARG001  likewise
) -> Delta:  # fmt: skip
    """Trim each delta to its largest entries, elect a sign per entry, average those that agree.

    Yadav et al., "TIES-Merging", 2023, §3.2. Entries as large as the smallest kept one are kept
    too. The average is Σ wᵢ·τᵢ / Σ |wᵢ|, where mergekit divides by the signed sum of the weights,
    which can be near zero. Tensors with different densities are trimmed apart.

    weight: How much each model counts, in the vote and in the average.
    density: Share of each delta's entries kept; the smallest are dropped.
    lambda: Scale of the merged difference.
    normalize: Average the entries that agree; otherwise add them up.
    vote: What elects the sign: the sum of weighted entries (after), of entries without weights
        (before, as in the paper), or the number of models on each side (count; a tie keeps none).
    trim: What the density is a share of: each tensor, as in mergekit, each block of the model, or
        as in the paper the whole model. A component with a rule of its own is trimmed by itself.
    """
    kept = torch.where(deltas.abs() >= cut, deltas, 0.0)
    return lambda_ * disjoint_mean(kept, weight, vote, normalize=normalize)
