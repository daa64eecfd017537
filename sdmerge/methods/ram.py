"""Reinforced agent merging: what one model alone learned is not averaged away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from sdmerge.fit import Found, Models
from sdmerge.method import Delta, Deltas, Fitting, Stat, method, total
from sdmerge.params import Fraction, Range
from sdmerge.together import together
from sdmerge.whole import Whole

Threshold = Annotated[float, Range(0.0, 1e-3, limits=(0.0, 1.0))]


def touched(deltas: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The entries that each model changed, else zero, and the number of models that did."""
    changed = deltas.abs() > epsilon
    return torch.where(changed, deltas, 0.0), total(changed.to(deltas.dtype))


@method(title="RAM", paper="https://arxiv.org/abs/2601.13572")
def ram(deltas: Deltas, *, epsilon: Threshold = 1e-5) -> Delta:
    """Average each entry over the models that changed it; what one alone changed stays whole.

    Yuan et al., "Behavior knowledge merge in reinforced agentic models", 2026: made for sparse
    differences, such as those of reinforcement learning.

    epsilon: An entry that differs by no more than this from the base counts as unchanged.
    """
    changed, count = touched(deltas, epsilon)
    return total(changed) / count.clamp(min=1.0)


def gains(whole: Whole, epsilon: float, r: float, alpha: float) -> Tensor:
    """Per model the factor of what it alone changed: 1 + r·clip(shared / unique, 0, α)."""

    def counts(leaf: np.ndarray) -> np.ndarray:
        changed = np.abs(leaf) > epsilon
        unique = changed.sum(axis=0) == 1
        return np.concatenate([changed & unique, changed & ~unique])

    unique, shared = whole.sums(counts).reshape(2, -1)
    return torch.as_tensor(1.0 + r * np.minimum(shared / np.maximum(unique, 1.0), alpha))


def gains_together(models: Models, *, epsilon: float, r: float, alpha: float) -> Iterator[Found]:
    """The same factors, of counts over all that the merge is over."""
    yield from together(models, "model", lambda whole: gains(whole, epsilon, r, alpha))


def amplify(deltas: Tensor, gain: Tensor, epsilon: float) -> Tensor:
    """The average of what is shared, and what is unique times its model's gain."""
    changed, count = touched(deltas, epsilon)
    factor = torch.as_tensor(gain, dtype=deltas.dtype).reshape(-1, 1)
    return torch.where(count > 1, total(changed) / count.clamp(min=1.0), total(factor * changed))


@method(
    title="RAM+", paper="https://arxiv.org/abs/2601.13572", fit=Fitting(gains_together)
)  # fmt: skip
def ramplus(
    deltas: Deltas, gain: Stat, *, epsilon: Threshold = 1e-5,
    r: Fraction = 0.1, alpha: Fraction = 0.2,  # noqa: ARG001  `gain` is made of them
) -> Delta:  # fmt: skip
    """RAM, and what one model alone changed is amplified where it shares much with the others.

    Yuan et al., 2026: unique entries times 1 + r·clip(ρ, 0, α), ρ the model's number of shared
    entries by that of its unique ones, over the whole model.

    epsilon: An entry that differs by no more than this from the base counts as unchanged.
    r: How much unique entries are amplified.
    alpha: Bound of ρ, so the largest factor is 1 + r·α.
    """
    return amplify(deltas, gain, epsilon)


@method(title="RAM+ (per tensor)", paper="https://arxiv.org/abs/2601.13572", stats=gains)
def ramplus_tl(
    deltas: Deltas, gain: Stat, *, epsilon: Threshold = 1e-5,
    r: Fraction = 0.1, alpha: Fraction = 0.2,  # noqa: ARG001  `gain` is made of them
) -> Delta:  # fmt: skip
    """RAM+ with the overlap of the models counted for each tensor, as in mergekit.

    See `ramplus`, which counts over the whole model as in the paper.

    epsilon: An entry that differs by no more than this from the base counts as unchanged.
    r: How much unique entries are amplified.
    alpha: Bound of ρ, so the largest factor is 1 + r·α.
    """
    return amplify(deltas, gain, epsilon)
