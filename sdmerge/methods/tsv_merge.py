"""TSV-Merge: the leading singular vectors of every task, made orthogonal to each other."""

from __future__ import annotations

import torch
from torch import Tensor

from sdmerge.consensus import mean, taking_part
from sdmerge.method import Delta, Deltas, Here, method
from sdmerge.params import PerModel, Scale, Strength
from sdmerge.spectrum import as_matrix, one_thread, orthonormal, svd


@method(title="TSV-Merge", paper="https://arxiv.org/abs/2412.00081", unit="tensor", rotation="both")
def tsv_merge(
    deltas: Deltas, here: Here, *, weight: PerModel[Strength] = 1.0, lambda_: Scale = 1.0
) -> Delta:
    """Keep each delta's leading singular vectors, make them all orthogonal, and put them together.

    Gargiulo et al., "Task Singular Vectors", 2025. Of each of T deltas the first min(m, n) / T
    singular triplets (at least one) stand side by side as U, Σ and V; U and V become the nearest
    orthonormal matrices (Procrustes, their polar factors), and the result is U⊥ Σ V⊥ᵀ. Biases and
    other vectors are averaged, as in the authors' code, which averages convolutions as well; here
    a convolution is the matrix [out, in · height · width].

    Deltas and weights of zero take no part and are not counted in T. Singular values of zero have
    no vectors, and directions that tasks share are kept once: the authors' code fills both with
    whatever directions LAPACK gives. Values equal to the last kept one are kept too.

    weight: How much of each delta is merged.
    lambda: Scale of the merged difference.
    """
    parts = taking_part(weight * deltas)
    if len(parts) < 2 or deltas.dim() < 3:
        return lambda_ * mean(parts)
    count = max(1, min(here.count("row"), here.count("column")) // len(parts))
    return lambda_ * _orthogonal_sum(parts, count).reshape(deltas.shape[1:]).to(deltas.dtype)


@one_thread()
def _orthogonal_sum(parts: Tensor, count: int) -> Tensor:
    """U⊥ Σ V⊥ᵀ of so many triplets of each."""
    found = [svd(as_matrix(part), count) for part in parts]
    left = orthonormal(torch.cat([one.left for one in found], dim=1))
    right = orthonormal(torch.cat([one.right for one in found]))
    return left * torch.cat([one.values for one in found]) @ right
