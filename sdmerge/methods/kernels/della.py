"""DELLA, ranked by counting."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sdmerge.compiled.blocks import BLOCK, VOTES, disjoint_mean
from sdmerge.compiled.jit import jit
from sdmerge.consensus import Vote
from sdmerge.masks import Random
from sdmerge.methods.kernels._dropping import drop


def della(
    deltas: Tensor, random: Random, *, weight: Tensor, density: Tensor, epsilon: Tensor,
    lambda_: float, normalize: bool, rescale: bool, vote: Vote,
) -> Tensor:  # fmt: skip
    """The kernel of the method `della`."""
    kept = drop(deltas, random, density, epsilon, rescale=rescale)
    _merge(kept, weight.reshape(-1).numpy(), np.float32(lambda_), VOTES[vote], normalize)
    return deltas[0]


@jit
def _merge(
    deltas: np.ndarray, weight: np.ndarray, scale: np.float32, vote: int, normalize: bool
) -> None:
    memory = np.empty((3, BLOCK), np.float32)
    for start in range(0, deltas.shape[1], BLOCK):
        stop = min(start + BLOCK, deltas.shape[1])
        disjoint_mean(deltas, start, stop, weight, scale, vote, normalize, memory)
