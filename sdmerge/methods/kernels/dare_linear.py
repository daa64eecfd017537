"""DARE in one pass."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sdmerge.compiled.blocks import BLOCK, divide, drop, weighted_sum
from sdmerge.compiled.jit import jit
from sdmerge.consensus import divisor
from sdmerge.masks import Random


def dare_linear(
    deltas: Tensor, random: Random, *, weight: Tensor, density: Tensor, lambda_: float,
    normalize: bool, rescale: bool,
) -> Tensor:  # fmt: skip
    """The kernel of the method `dare_linear`."""
    shares = density.clamp(min=1e-12).reshape(-1).numpy() if rescale else None
    _merge(
        deltas.numpy(), *random.source(density), shares, weight.reshape(-1).numpy(),
        np.float32(divisor(weight, len(deltas), normalize=normalize)), np.float32(lambda_),
    )  # fmt: skip
    return deltas[0]


@jit
def _merge(
    deltas: np.ndarray, streams: np.ndarray, thresholds: np.ndarray, first: int,
    shares: np.ndarray | None, weight: np.ndarray, below: np.float32, scale: np.float32,
) -> None:  # fmt: skip
    memory = np.empty((1, BLOCK), np.float32)
    for start in range(0, deltas.shape[1], BLOCK):
        stop = min(start + BLOCK, deltas.shape[1])
        for k in range(len(deltas)):
            row = deltas[k, start:stop]
            drop(row, streams[k], first + start, thresholds[k, 0])
            if shares is not None:
                divide(row, shares[k])
        weighted_sum(deltas, start, stop, weight, below, scale, memory)
