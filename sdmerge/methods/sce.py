"""SCE: select what differs between the models, weigh them by it, erase minorities."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
import torch

from sdmerge.consensus import disjoint_mean
from sdmerge.method import Delta, Deltas, Stat, method
from sdmerge.params import Fraction, Mergekit
from sdmerge.whole import Whole


def variance(stack: Any) -> Any:
    """The variance of each entry over the models; the same digits from numpy and from torch."""
    mean = sum(stack) / len(stack)
    return sum((row - mean) * (row - mean) for row in stack) / len(stack)


def select_and_calculate(whole: Whole, select_topk: float) -> tuple[float, np.ndarray]:
    """The smallest variance that is selected, and each model's share of the selected energy."""

    def varied(leaf: np.ndarray) -> np.ndarray:
        return variance(leaf)[None].astype(np.float32)

    moving = int(whole.sums(lambda leaf: varied(leaf) > 0)[0])
    count = math.ceil(select_topk * moving - 1e-6)
    cut = 0.0
    if count < moving:
        cut = float(whole.kth_largest(lambda leaf, _: varied(leaf), [[count]]).item())
    if select_topk == 0.0:
        cut = math.inf
    energies = whole.sums(lambda leaf: np.where(varied(leaf) >= cut, leaf * leaf, 0.0))
    return cut, energies / max(float(energies.sum()), 1e-300)


@method(title="SCE", paper="https://arxiv.org/abs/2408.07990", stats=select_and_calculate)
def sce(
    deltas: Deltas, chosen: Stat, *,
    select_topk: Annotated[Fraction, Mergekit(1.0)] = 0.1,  # noqa: ARG001  `chosen` is made of it
) -> Delta:  # fmt: skip
    """Select the entries that vary most over the models, weigh by energy, erase minority signs.

    Wan et al., "FuseChat", 2024, per tensor: of the selected entries the sum of squares is a
    model's weight; of each entry the sign of the sum stays, and the models that have it are
    averaged by weight. The weights are always proportional; mergekit makes them equal where deltas
    are as small as those of most fine-tunes. Where no entry varies (one model) all are selected.

    select_topk: Share of the entries that differ between the models which is selected; 1 takes all.
    """
    cut, shares = chosen
    selected = variance(deltas.double()).float() >= cut
    weight = torch.as_tensor(shares, dtype=deltas.dtype).reshape(-1, 1)
    kept = torch.where(selected, deltas, 0.0)
    return disjoint_mean(kept, weight, "before", normalize=True)  # pyright: ignore[reportArgumentType]
