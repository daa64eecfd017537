"""KnOTS: deltas merged in the coordinates of a basis that they share."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from sdmerge.consensus import disjoint_mean, weighted_sum
from sdmerge.masks import Random
from sdmerge.method import Delta, Deltas, Masks, method
from sdmerge.params import Fraction, PerModel, Scale, Strength
from sdmerge.spectrum import NOISE, as_matrix, basis, one_thread


@method(title="KnOTS", paper="https://arxiv.org/abs/2410.19735", unit="tensor", rotation="left")
def knots(
    deltas: Deltas, random: Masks, *,
    inner: Literal["ties", "dare_ties", "task_arithmetic"] = "ties",
    weight: PerModel[Strength] = 1.0, density: PerModel[Fraction] = 0.2, lambda_: Scale = 1.0,
    normalize: bool = True,
) -> Delta:  # fmt: skip
    """Rotate the deltas into a basis that they share, and merge them there, as TIES or DARE do.

    Stoica et al., "Model merging with SVD to tie the Knots", 2024. The deltas side by side are
    [Δ₁ … Δₙ] = UΣ[V₁ᵀ … Vₙᵀ]; the inner merge makes one matrix of the ΣVᵢᵀ, and U turns it back.
    The trim is per tensor, where the authors trim all tensors together. A convolution is the matrix
    [out, in · height · width]; vectors are merged as they are. Where singular values are equal,
    their vectors are chosen by a rule of ours, so that the result does not hang on LAPACK's choice.

    inner: How the ΣVᵢᵀ are merged: by sign and size (ties), dropped at random first (dare_ties), or
        added up (task_arithmetic; that is task_arithmetic itself, as U and Σ can be put outside).
    weight: How much each model counts.
    density: Share of the entries of each ΣVᵢᵀ that is kept: the largest, or by chance.
    lambda: Scale of the merged difference.
    normalize: Average the entries that agree, or divide by the sum of the weights; otherwise add.
    """
    if inner == "task_arithmetic":
        return lambda_ * weighted_sum(deltas, weight, normalize=normalize)
    shares, densities = (torch.as_tensor(one).reshape(-1, 1, 1) for one in (weight, density))
    matrices = torch.stack([as_matrix(delta) for delta in deltas])
    shared, factors = _factors(torch.where(shares != 0, matrices, 0.0))
    kept = _drop(factors, random, densities) if inner == "dare_ties" else _trim(factors, densities)
    merged = _turned_back(shared, disjoint_mean(kept, shares, "after", normalize=normalize))
    return lambda_ * merged.reshape(deltas.shape[1:]).to(deltas.dtype)


@one_thread()
def _factors(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """U [m, r] and the ΣVᵢᵀ = UᵀΔᵢ [n, r, columns]; what is but rounding in them is zero."""
    shared = basis(torch.cat(list(matrices), dim=1))
    factors = torch.stack([shared.T @ matrix for matrix in matrices])
    size = factors.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return shared, torch.where(factors.abs() > NOISE * size, factors, 0.0)


@one_thread()
def _turned_back(shared: Tensor, merged: Tensor) -> Tensor:
    return shared @ merged


def _trim(factors: Tensor, densities: Tensor) -> Tensor:
    """Of every model the share `density` of largest magnitude, and what is equal to the least."""
    shares = densities.flatten().expand(len(factors))
    cuts = [
        _cut(rows.abs().flatten(), float(share))
        for rows, share in zip(factors, shares, strict=True)
    ]
    return torch.where(factors.abs() >= factors.new_tensor(cuts).reshape(-1, 1, 1), factors, 0.0)


def _cut(magnitudes: Tensor, share: float) -> float:
    """The smallest of the magnitudes that are kept; infinite for none."""
    # a share in single precision is a hair off what was asked for
    count = math.ceil(round(share, 6) * magnitudes.numel() - 1e-6)
    if count <= 0:
        return math.inf
    return float(magnitudes.kthvalue(magnitudes.numel() - count + 1).values)


def _drop(factors: Tensor, random: Random, densities: Tensor) -> Tensor:
    """Each entry with the chance `density`, divided by it."""
    # the mask has the tensor's shape, and factors have no more rows than the tensor
    mask = (
        random.keep(densities)
        .reshape(len(factors), -1)[:, : factors[0].numel()]
        .reshape(factors.shape)
    )
    return torch.where(mask, factors, 0.0) / densities.clamp(min=1e-12)
