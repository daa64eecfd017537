"""Rotations of blocks: from learned numbers by Cayley's map, applied stage by stage.

Inverses are taken in float64, and so are the products: a weight is rounded once.
"""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import torch
from torch import Tensor

from sdmerge.lowrank import one_thread


def cayley(skew: Tensor) -> Tensor:
    """(I + Q)(I - Q)⁻¹ of skew-symmetric blocks [..., b, b], float64."""
    unit = torch.eye(skew.shape[-1], dtype=skew.dtype)
    with one_thread():
        return torch.linalg.solve(unit - skew, unit + skew, left=False)


def rotate(blocks: Tensor, rows: Tensor) -> Tensor:
    """Each block [n, b, b] times its b rows of [n·b, columns]."""
    count, size, _ = blocks.shape
    with one_thread():
        return torch.bmm(blocks, rows.reshape(count, size, -1)).view(rows.shape)


def shuffle(rows: Tensor, groups: int, run: int) -> Tensor:
    """Rows (c groups run) as (c run groups): what stands apart by `run` comes together."""
    return rows.view(-1, groups, run, rows.shape[-1]).transpose(1, 2).reshape(rows.shape)
