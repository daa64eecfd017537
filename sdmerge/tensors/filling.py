"""Reading into memory that is there already: a fresh page costs more than converting what is in it.

Not every store can: a pickle is mapped, a LoRA's change is computed. Those are read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Filler:
    """`fill(out, start)` puts the elements from `start` on into `out`, flat and of `dtype`."""

    fill: Callable[[Tensor, int], None]
    dtype: torch.dtype


@runtime_checkable
class Refillable(Protocol):
    """A store or a source that reads slices of a tensor for no more than their share of it."""

    def filler(self, name: str) -> Filler | None:
        """What fills buffers with elements of `name`; None where only the whole can be read."""
        ...


def filler_of(store: object, name: str) -> Filler | None:
    """The store's filler for the tensor `name`, if it has one."""
    return store.filler(name) if isinstance(store, Refillable) else None
