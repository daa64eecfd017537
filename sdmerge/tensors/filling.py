"""Reading into memory that is there already: a fresh page costs more than converting what is in it.

Not every store can: a pickle is mapped, a LoRA's change is computed. Those are read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Filler:
    """`fill(out, start)` puts the elements from `start` on into `out`, flat and of `dtype`."""

    fill: Callable[[Tensor, int], None]
    dtype: torch.dtype


def filler_of(store: object, name: str) -> Filler | None:
    """What fills buffers with elements of `name`; None where only the whole can be read.

    A store or a source that reads slices for no more than their share has a method `filler(name)`.
    """
    # isinstance of a protocol looks at every attribute, and this is asked for every tensor
    find: Callable[[str], Filler | None] | None = getattr(store, "filler", None)
    return find(name) if find is not None else None
