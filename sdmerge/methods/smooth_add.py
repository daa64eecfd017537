"""A difference added without its spikes."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sdmerge.method import Delta, method
from sdmerge.params import Scale

SIGMA = 1.0
RADIUS = 4
"""Where the Gaussian ends: four standard deviations."""

CHUNK = 1 << 20
"""Numbers of all windows at a time."""


@method(
    title="Smooth add", unit="tensor",
    paper="https://github.com/hako-mikan/sd-webui-supermerger/blob/main/calcmode_en.md",
)  # fmt: skip
def smooth_add(a: Delta, b: Delta, *, alpha: Scale = 1.0) -> Delta:
    """Add to A what B learned over the base, after a median and a Gaussian filter.

    SuperMerger's smoothAdd: A + α·gauss(median(B - base)) with its C as base_model. The median is
    that of 3 neighbours, the Gaussian's σ is 1, both in every dimension of the tensor, mirrored at
    its edges (d c b a | a b c d | d c b a).

    alpha: How much of the smoothed difference is added.
    """
    return a + alpha * gaussian(median(b))


def median(values: Tensor) -> Tensor:
    """The median of 3 neighbours in every dimension: of 9 entries in a matrix."""
    # along a dimension of size 1 all neighbours are the entry itself
    dims = [dim for dim, size in enumerate(values.shape) if size > 1]
    if not dims:
        return values
    windows = values
    for dim in dims:
        windows = windows.index_select(dim, mirrored(values.shape[dim], -1, 1))
    for dim in dims:
        windows = windows.unfold(dim, 3, 1)
    rows = max(1, CHUNK * len(values) // (values.numel() * 3 ** len(dims)))
    smooth = torch.empty_like(values)
    for start in range(0, len(values), rows):
        near = windows[start : start + rows].flatten(values.ndim)
        # sorting short rows in numpy is several times faster than selecting in torch
        ordered = np.sort(near.numpy(), axis=-1)[..., near.shape[-1] // 2]
        smooth[start : start + rows] = torch.as_tensor(ordered)
    return smooth


def gaussian(values: Tensor) -> Tensor:
    """A Gaussian filter along one dimension after the other."""
    offsets = range(-RADIUS, RADIUS + 1)
    weights = [math.exp(-0.5 * (offset / SIGMA) ** 2) for offset in offsets]
    for dim, size in enumerate(values.shape):
        if size > 1:
            wide = values.index_select(dim, mirrored(size, -RADIUS, RADIUS))
            values = torch.zeros_like(values)
            for place, weight in enumerate(weights):
                values += weight / sum(weights) * wide.narrow(dim, place, size)
    return values


def mirrored(size: int, before: int, after: int) -> Tensor:
    """The places from `before` to `size + after`, thrown back at the edges as often as needed."""
    places = torch.arange(before, size + after) % (2 * size)
    return torch.minimum(places, 2 * size - 1 - places)
