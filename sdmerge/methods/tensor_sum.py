"""Parts of one tensor in another: by place, and by size."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sdmerge.method import Here, Weight, method
from sdmerge.params import Blend, Fraction


def region(alpha: float, beta: float, size: int) -> tuple[int, int]:
    """The first of `size` places taken and how many are; after the last comes the first."""
    return round(beta * size), round(alpha * size)


@method(title="Tensor sum", paper="https://github.com/hako-mikan/sd-webui-supermerger#calcmode")
def tensor_sum(
    a: Weight, b: Weight, here: Here, *, alpha: Blend = 0.5, beta: Fraction = 0.0,
    by: Literal["rows", "columns"] = "rows",
) -> Weight:  # fmt: skip
    """Put a run of B's rows in the place of A's, without mixing any numbers.

    The run begins at β and has the length α, both as shares of the rows and rounded to whole ones;
    what goes beyond the last row goes on at the first. A is base_model if the recipe has one.

    alpha: Share of the rows that are B's; 0 is A, 1 is B.
    beta: Where B's rows begin.
    by: `rows` go along the first dimension, the outputs; `columns` along the second, the inputs
        (supermerger's tensor2). A bias has rows only.
    """
    dim = 1 if by == "columns" and len(here.shape) > 1 else 0
    size = here.shape[dim] if here.shape else 1
    first, count = region(alpha, beta, size)
    return torch.where((here.along(dim) - first) % size < count, b, a)


@method(title="Top-k tensor sum", paper="https://github.com/s1dlx/meh", unit="tensor")
def top_k_tensor_sum(
    a: Weight, b: Weight, *, alpha: Fraction = 0.5, beta: Fraction = 0.0
) -> Weight:
    """Put A's own numbers in B's order, those of a run of magnitudes only.

    An entry becomes the k-th smallest number of A, where B's entry there is the k-th smallest of B,
    if the magnitude of that number is in the run; otherwise it stays. The run begins at β and has
    the length α, as shares of A's numbers from the smallest magnitude up; equal magnitudes are
    taken together, and after the largest comes the smallest. A is base_model if the recipe has one.

    alpha: Share of A's numbers that move.
    beta: Where the run of magnitudes begins.
    """
    old = a.reshape(-1)
    new = torch.empty_like(old)
    new[b.reshape(-1).argsort(stable=True)] = old.sort().values
    moved = _within(new.abs(), *region(alpha, beta, len(old)))
    return torch.where(moved, new, old).reshape(a.shape)


def _within(magnitudes: Tensor, first: int, count: int) -> Tensor:
    """Whether each is among the `count` after the `first` smallest."""
    size = len(magnitudes)
    around = first + count > size
    start, stop = (first + count - size, first) if around else (first, first + count)
    ranked = np.partition(magnitudes.numpy(), [max(start - 1, 0), max(stop - 1, 0)])
    low, high = (float(ranked[rank - 1]) if rank else -1.0 for rank in (start, stop))
    return ((magnitudes > low) & (magnitudes <= high)) ^ around
