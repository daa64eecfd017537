"""Model Breadcrumbs in one pass."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sdmerge.compiled.blocks import BLOCK, cut_outside, weighted_sum
from sdmerge.compiled.jit import jit
from sdmerge.consensus import divisor


def breadcrumbs(
    deltas: Tensor, band: tuple[Tensor, Tensor], *, weight: Tensor, density: Tensor, gamma: Tensor,  # noqa: ARG001
    lambda_: float, normalize: bool,
) -> Tensor:  # fmt: skip
    """The kernel of the method `breadcrumbs`."""
    low, high = (end.reshape(-1).numpy() for end in band)
    _merge(
        deltas.numpy(), low, high, weight.reshape(-1).numpy(),
        np.float32(divisor(weight, len(deltas), normalize=normalize)), np.float32(lambda_),
    )  # fmt: skip
    return deltas[0]


@jit
def _merge(
    deltas: np.ndarray, low: np.ndarray, high: np.ndarray, weight: np.ndarray, below: np.float32,
    scale: np.float32,
) -> None:  # fmt: skip
    memory = np.empty((1, BLOCK), np.float32)
    for start in range(0, deltas.shape[1], BLOCK):
        stop = min(start + BLOCK, deltas.shape[1])
        for k in range(len(deltas)):
            cut_outside(deltas[k, start:stop], low[k], high[k])
        weighted_sum(deltas, start, stop, weight, below, scale, memory)
