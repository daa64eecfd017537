"""TIES in one pass."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sdmerge.compiled.blocks import BLOCK, VOTES, cut_small, disjoint_mean
from sdmerge.compiled.jit import jit
from sdmerge.consensus import Vote


def ties(
    deltas: Tensor, cut: Tensor, *, weight: Tensor, density: Tensor, lambda_: float,  # noqa: ARG001
    normalize: bool, vote: Vote, trim: str,  # noqa: ARG001
) -> Tensor:  # fmt: skip
    """The kernel of the method `ties`."""
    _merge(
        deltas.numpy(), cut.reshape(-1).numpy(), weight.reshape(-1).numpy(), np.float32(lambda_),
        VOTES[vote], normalize,
    )  # fmt: skip
    return deltas[0]


@jit
def _merge(
    deltas: np.ndarray, cut: np.ndarray, weight: np.ndarray, scale: np.float32, vote: int,
    normalize: bool,
) -> None:  # fmt: skip
    memory = np.empty((3, BLOCK), np.float32)
    for start in range(0, deltas.shape[1], BLOCK):
        stop = min(start + BLOCK, deltas.shape[1])
        for k in range(len(deltas)):
            row = deltas[k, start:stop]
            cut_small(row, cut[k])
        disjoint_mean(deltas, start, stop, weight, scale, vote, normalize, memory)
