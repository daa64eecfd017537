"""A difference added as training would have: less where the model is there already."""

from __future__ import annotations

import torch

from sdmerge.method import Delta, method
from sdmerge.params import Scale


@method(
    title="Train difference",
    paper="https://github.com/hako-mikan/sd-webui-supermerger/blob/main/calcmode_en.md",
)
def train_difference(a: Delta, b: Delta, *, alpha: Scale = 1.0) -> Delta:
    """Add B's difference from the base to A, less of it where A is near B already.

    A + 1.8·α·s·(B - base) with s = |B - A| / (|B - A| + |B - base|) for each entry: SuperMerger's
    trainDifference, with its C as base_model. Where A is at B already
    nothing is added; where A is at the base, 0.9·α of the difference; where A stands opposite,
    more. Where B learned nothing, nothing is added.

    alpha: Scale of what is added.
    """
    gap = (b - a).abs()
    way = gap + b.abs()
    share = torch.where(way > 0, gap / way, 0.0)
    return a + (1.8 * alpha) * share * b
