"""Isotropic merging: the merged task matrix with all its singular values made equal."""

from __future__ import annotations

import torch
from torch import Tensor

from sdmerge.consensus import mean, taking_part
from sdmerge.method import Delta, Deltas, Here, method, total
from sdmerge.params import Fraction, PerModel, Scale, Strength
from sdmerge.spectrum import as_matrix, noise_floor, one_thread, orthonormal, svd

PAPER = "https://arxiv.org/abs/2502.04959"


@method(title="Iso-C", paper=PAPER, unit="tensor", rotation="both")
def iso_c(deltas: Deltas, *, weight: PerModel[Strength] = 1.0, lambda_: Scale = 1.0) -> Delta:
    """Add the deltas up, and give all singular values of the sum their mean: λ·σ̄·UVᵀ.

    Marczak et al., "No task left behind", 2025, eq. 7 and 8 (isotropic merging in the common
    subspace). Biases and other vectors are averaged, as in the authors' code, which averages
    convolutions as well; here a convolution is the matrix [out, in · height · width].

    Deltas and weights of zero take no part. Singular values of zero stay zero and do not count in
    the mean: where the sum has a low rank, the authors' code spreads it over whatever directions
    LAPACK gives beside its own.

    weight: How much of each delta is added.
    lambda: Scale of the merged difference.
    """
    parts = taking_part(weight * deltas)
    if deltas.dim() < 3 or not len(parts):
        return lambda_ * mean(parts)
    return lambda_ * _common(parts).reshape(deltas.shape[1:]).to(deltas.dtype)


@one_thread()
def _common(parts: Tensor) -> Tensor:
    matrices = [as_matrix(part) for part in parts]
    found = svd(total(torch.stack(matrices)), floor=noise_floor(*matrices))
    return _average(found.values) * found.left @ found.right


@method(title="Iso-CTS", paper=PAPER, unit="tensor", rotation="both")
def iso_cts(
    deltas: Deltas, here: Here, *, weight: PerModel[Strength] = 1.0,
    common_space_fraction: Fraction = 0.8,
    lambda_: Scale = 1.0,
) -> Delta:  # fmt: skip
    """Like Iso-C, but the sum's weakest directions make room for what each task has alone.

    Marczak et al., "No task left behind", 2025, eq. 10 to 13 (common and task-specific subspaces).
    The leading directions of the sum are common. Of what is left of each delta when they are taken
    out on the side of the outputs, as many directions are added as fit, the same number for each
    task. All are made orthogonal by their polar factors and get the mean of their singular values.
    Vectors, convolutions, and deltas or singular values of zero are treated as in iso_c.

    weight: How much of each delta is merged.
    common_space_fraction: Share of the directions that is common; the tasks divide the rest.
    lambda: Scale of the merged difference.
    """
    parts = taking_part(weight * deltas)
    if deltas.dim() < 3 or not len(parts):
        return lambda_ * mean(parts)
    merged = _common_and_specific(
        parts, min(here.count("row"), here.count("column")), common_space_fraction
    )
    return lambda_ * merged.reshape(deltas.shape[1:]).to(deltas.dtype)


@one_thread()
def _common_and_specific(parts: Tensor, rank: int, fraction: float) -> Tensor:
    matrices = [as_matrix(part) for part in parts]
    floor = noise_floor(*matrices)
    # the authors round the room for tasks to a multiple of their number; here it never overflows
    room = rank - int(rank * fraction + 1e-9)
    each = min(round(room / len(matrices)), rank // len(matrices))
    common = svd(total(torch.stack(matrices)), rank - each * len(matrices), floor)
    own = [svd(one - common.left @ (common.left.T @ one), each, floor) for one in matrices]
    found = [*own, common]
    left = orthonormal(torch.cat([one.left for one in found], dim=1))
    right = orthonormal(torch.cat([one.right for one in found]))
    return _average(torch.cat([one.values for one in found])) * left @ right


def _average(values: Tensor) -> Tensor:
    return values.sum() / max(1, len(values))
