"""Layers strengthened, weakened and skipped."""

from __future__ import annotations

from sdmerge.method import Weight, method
from sdmerge.params import Gain


@method(title="Branch gain", paper="https://arxiv.org/abs/2403.13187", rotation="both")
def branch_gain(
    a: Weight,
    *,
    attn1: Gain = 1.0,
    attn2: Gain = 1.0,
    ff: Gain = 1.0,
    resnet: Gain = 1.0,
    transformer: Gain = 1.0,
) -> Weight:
    """Scale what the layers of one model add to the stream: h + g·branch(h).

    A gain of 0 skips a branch, 1 leaves it as it is, and what lies between is weaker: a data-flow
    search (Akiba et al., "Evolutionary optimization of model merging recipes", 2024) over one
    number per layer. Gains are baked into the branches' output projections, so the result is a
    plain checkpoint. A parameter's filters and block weights see only the tensors of its branch.

    attn1: Gain of self-attention.
    attn2: Gain of cross-attention, which brings the prompt in.
    ff: Gain of the feed-forward layers.
    resnet: Gain of the convolutions' residual branch; shortcuts stay.
    transformer: Gain of a spatial transformer as a whole, from proj_in to proj_out.
    """
    return attn1 * attn2 * ff * resnet * transformer * a
