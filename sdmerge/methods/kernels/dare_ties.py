"""DARE-TIES in one pass."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sdmerge.compiled.blocks import BLOCK, VOTES, disjoint_mean, divide, drop
from sdmerge.compiled.jit import jit
from sdmerge.consensus import Vote
from sdmerge.masks import Random


def dare_ties(
    deltas: Tensor, random: Random, *, weight: Tensor, density: Tensor, lambda_: float,
    normalize: bool, rescale: bool, vote: Vote,
) -> Tensor:  # fmt: skip
    """The kernel of the method `dare_ties`."""
    divisors = density.clamp(min=1e-12).reshape(-1).numpy() if rescale else None
    _merge(
        deltas.numpy(), *random.source(density), divisors, weight.reshape(-1).numpy(),
        np.float32(lambda_), VOTES[vote], normalize,
    )  # fmt: skip
    return deltas[0]


@jit
def _merge(
    deltas: np.ndarray, streams: np.ndarray, thresholds: np.ndarray, first: int,
    divisors: np.ndarray | None, weight: np.ndarray, scale: np.float32, vote: int, normalize: bool,
) -> None:  # fmt: skip
    memory = np.empty((3, BLOCK), np.float32)
    for start in range(0, deltas.shape[1], BLOCK):
        stop = min(start + BLOCK, deltas.shape[1])
        for k in range(len(deltas)):
            row = deltas[k, start:stop]
            drop(row, streams[k], first + start, thresholds[k, 0])
            if divisors is not None:
                divide(row, divisors[k])
        disjoint_mean(deltas, start, stop, weight, scale, vote, normalize, memory)
