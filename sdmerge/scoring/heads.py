"""Heads: LAION's row of linear layers on an embedding, which ImageReward has too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from sdmerge.errors import FileError

LAYERS = (0, 2, 4, 6, 7)
"""Places of the linear layers; dropout lies between, and no activation."""


def linear_head(weights: Mapping[str, Tensor], file: Path) -> nn.Sequential:
    """The linear layers `layers.0`, `.2`, `.4`, `.6` and `.7`, one after the other."""
    wanted = {f"layers.{place}.{kind}" for place in LAYERS for kind in ("weight", "bias")}
    if {*weights} != wanted:
        what = "holds no such head: it should be layers.0, 2, 4, 6 and 7, and no others"
        raise FileError(what, where=str(file))
    linears: list[nn.Module] = []
    for place in LAYERS:
        matrix, bias = (weights[f"layers.{place}.{kind}"].float() for kind in ("weight", "bias"))
        layer = nn.Linear(matrix.shape[1], matrix.shape[0])
        layer.weight, layer.bias = nn.Parameter(matrix), nn.Parameter(bias)
        linears.append(layer)
    return nn.Sequential(*linears).eval().requires_grad_(False)
