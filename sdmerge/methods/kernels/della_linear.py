"""DELLA without the election of signs, ranked by counting."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sdmerge.compiled.blocks import BLOCK, weighted_sum
from sdmerge.compiled.jit import jit
from sdmerge.consensus import divisor
from sdmerge.masks import Random
from sdmerge.methods.kernels._dropping import drop


def della_linear(
    deltas: Tensor, random: Random, *, weight: Tensor, density: Tensor, epsilon: Tensor,
    lambda_: float, normalize: bool, rescale: bool,
) -> Tensor:  # fmt: skip
    """The kernel of the method `della_linear`."""
    below = np.float32(divisor(weight, len(deltas), normalize=normalize))
    kept = drop(deltas, random, density, epsilon, rescale=rescale)
    _merge(kept, weight.reshape(-1).numpy(), below, np.float32(lambda_))
    return deltas[0]


@jit
def _merge(deltas: np.ndarray, weight: np.ndarray, below: np.float32, scale: np.float32) -> None:
    memory = np.empty((1, BLOCK), np.float32)
    for start in range(0, deltas.shape[1], BLOCK):
        stop = min(start + BLOCK, deltas.shape[1])
        weighted_sum(deltas, start, stop, weight, below, scale, memory)
