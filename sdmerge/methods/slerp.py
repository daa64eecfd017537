"""Spherical interpolation of two models."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from sdmerge.manifest import Rotation
from sdmerge.method import Here, Stat, Vector, Weight, method
from sdmerge.params import Blend, Mergekit, PerModel, Strength
from sdmerge.place import Part
from sdmerge.shares import along_arc, angles
from sdmerge.whole import Whole


def arc(whole: Whole) -> np.ndarray:
    """The inner products [2, 2] of the two tensors."""
    return whole.gram()


@method(title="SLERP", paper="https://doi.org/10.1145/325165.325242", stats=arc, rotation="both")
def slerp(
    a: Weight, b: Weight, products: Stat, *, t: Blend = 0.5,
    norm: Annotated[Literal["lerp", "raw"], Mergekit("raw")] = "lerp",
) -> Weight:  # fmt: skip
    """Walk from A to B along the arc between them: sin((1-t)Ω)/sin Ω · â + sin(tΩ)/sin Ω · b̂.

    Shoemake, "Animating rotation with quaternion curves", 1985, on the whole tensor as one vector,
    Ω the angle between A and B. A is base_model if the recipe has one. Tensors that are parallel,
    opposite or zero have no one arc; they are interpolated in a straight line.

    t: Position on the arc; 0 is A, 1 is B.
    norm: `lerp` lets the length go straight from A's to B's; `raw` mixes the tensors as they are,
        as mergekit does, so the result is shorter where the lengths differ.
    """
    angle = angles(products)
    share_a, share_b = map(float, along_arc(angle, t))
    if norm == "lerp" and angle > 0:
        length_a, length_b = math.sqrt(products[0, 0]), math.sqrt(products[1, 1])
        length = (1 - t) * length_a + t * length_b
        share_a, share_b = share_a * length / length_a, share_b * length / length_b
    return share_a * a + share_b * b


def arcs(
    whole: Whole, weight: Tensor, nuslerp_flatten: bool, nuslerp_row_wise: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The shares of A and of B: one pair, or one per row or column."""
    weight_a, weight_b = map(float, weight.reshape(-1))
    both = weight_a + weight_b
    t = weight_b / both if abs(both) >= 1e-6 else 0.5
    one = nuslerp_flatten or len(whole.shape) < 2
    return along_arc(angles(whole.gram() if one else whole.gram_by(_part(nuslerp_row_wise))), t)


def _part(nuslerp_row_wise: bool) -> Part:
    return "column" if nuslerp_row_wise else "row"


_NUSLERP = "https://github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md#nuslerp-nuslerp"


@method(
    title="NuSLERP",
    paper=_NUSLERP,
    stats=arcs,
    rotation=Rotation("both", unless=("nuslerp_flatten", False)),
)
def nuslerp(
    a: Vector, b: Vector, pair: Stat, here: Here, *,
    weight: PerModel[Strength] = 1.0,  # noqa: ARG001  `pair` is made of it
    nuslerp_flatten: bool = True, nuslerp_row_wise: bool = False,  # noqa: ARG001  likewise
) -> Vector:  # fmt: skip
    """Walk from A to B along the arc between them, as far as B's share of the weights.

    (sin((1-t)Ω)·A + sin(tΩ)·B) / sin Ω with t = w_b/(w_a + w_b). With a base_model A and B are the
    differences from it, as in WARP (Ramé et al., 2024, arXiv:2406.16768, stage 2). Parallel,
    opposite or zero vectors are interpolated in a straight line; weights that sum to zero count as
    equal. A convolution's kernels belong to their row; mergekit's rows of one are 3 numbers long.

    weight: How much each model counts; the second's share is t.
    nuslerp_flatten: Turn the whole tensor by one angle; otherwise each of its rows by its own.
    nuslerp_row_wise: Without flatten, turn each column (an input's weights) by its own angle, as
        mergekit does under this name, and not each row (an output's weights).
    """
    share_a, share_b = (torch.from_numpy(one).to(a.dtype) for one in pair)  # pyright: ignore[reportUnknownMemberType]
    if share_a.ndim:
        index = here.of(_part(nuslerp_row_wise))
        share_a, share_b = share_a[index], share_b[index]
    return share_a * a + share_b * b
