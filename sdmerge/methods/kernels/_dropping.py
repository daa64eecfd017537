"""DELLA's dropping: each entry by its rank within its row."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sdmerge.compiled.blocks import random_bits
from sdmerge.compiled.jit import jit
from sdmerge.compiled.ranking import SPREAD, magnitude_order
from sdmerge.masks import Random
from sdmerge.methods.della import chances

_PLACE = np.uint64(0xFFFFFFFF)


def drop(
    deltas: Tensor, random: Random, density: Tensor, epsilon: Tensor, *, rescale: bool
) -> np.ndarray:
    """What `sdmerge.methods.della.drop` gives, in the memory of `deltas`, as [n, elements]."""
    width = deltas.shape[-1]
    chance = chances(torch.arange(width), width, density, epsilon)  # [n, 1, width]
    divisors = chance.to(deltas.dtype).clamp(min=1e-12).reshape(-1, width) if rescale else None
    streams, thresholds, first = random.source(chance)
    flat = deltas.reshape(len(deltas), -1).numpy()
    _drop(flat, width, streams, thresholds, first, None if divisors is None else divisors.numpy())
    return flat


@jit
def _drop(
    deltas: np.ndarray, width: int, streams: np.ndarray, thresholds: np.ndarray, first: int,
    divisors: np.ndarray | None,
) -> None:  # fmt: skip
    keys, memory = np.empty(width, np.uint64), np.empty(SPREAD * width + 2, np.int32)
    bits = np.empty(width, np.uint64)
    for k in range(len(deltas)):
        for start in range(0, deltas.shape[1], width):
            row = deltas[k, start : start + width]
            magnitude_order(row, memory, keys)
            for i in range(width):
                bits[i] = random_bits(streams[k], first + start + i)
            for rank in range(width):
                i = int(keys[rank] & _PLACE)
                # divided even where it is not kept: a branch that nobody can foresee costs more
                value = row[i] if divisors is None else row[i] / divisors[k, rank]
                row[i] = value if bits[i] < thresholds[k, rank] else np.float32(0)
