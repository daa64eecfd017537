"""Memory of a thread that is used again and again."""

from __future__ import annotations

import math
import threading

import torch
from torch import Tensor

_KEPT = 64 << 20
"""Bytes up to which memory is kept: slabs, but not the whole tensors that some methods take."""


class Scratch(threading.local):
    """Buffers by name, each good until its name is asked for again by the same thread."""

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}

    def take(self, name: str, dtype: torch.dtype, *shape: int) -> Tensor:
        """A tensor of whatever was there."""
        wanted = math.prod(shape) * dtype.itemsize
        if wanted > _KEPT:
            return torch.empty(shape, dtype=dtype)
        held = self._memory.get(name)
        if held is None or held.numel() < wanted:
            held = self._memory[name] = torch.empty(wanted, dtype=torch.uint8)
        return held[:wanted].view(dtype).view(shape)
