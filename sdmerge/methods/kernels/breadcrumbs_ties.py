"""Breadcrumbs + TIES in one pass."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sdmerge.compiled.blocks import BLOCK, VOTES, cut_outside, disjoint_mean
from sdmerge.compiled.jit import jit
from sdmerge.consensus import Vote


def breadcrumbs_ties(
    deltas: Tensor, band: tuple[Tensor, Tensor], *, weight: Tensor, density: Tensor, gamma: Tensor,  # noqa: ARG001
    lambda_: float, normalize: bool, vote: Vote,
) -> Tensor:  # fmt: skip
    """The kernel of the method `breadcrumbs_ties`."""
    low, high = (end.reshape(-1).numpy() for end in band)
    _merge(
        deltas.numpy(), low, high, weight.reshape(-1).numpy(), np.float32(lambda_), VOTES[vote],
        normalize,
    )  # fmt: skip
    return deltas[0]


@jit
def _merge(
    deltas: np.ndarray, low: np.ndarray, high: np.ndarray, weight: np.ndarray, scale: np.float32,
    vote: int, normalize: bool,
) -> None:  # fmt: skip
    memory = np.empty((3, BLOCK), np.float32)
    for start in range(0, deltas.shape[1], BLOCK):
        stop = min(start + BLOCK, deltas.shape[1])
        for k in range(len(deltas)):
            cut_outside(deltas[k, start:stop], low[k], high[k])
        disjoint_mean(deltas, start, stop, weight, scale, vote, normalize, memory)
