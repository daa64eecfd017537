"""Singular values and vectors as merge methods need them: free of what LAPACK is free to choose.

LAPACK chooses the sign of a singular vector, any basis for the vectors of equal singular values,
and any vectors at all for those that are zero. No result may depend on that. So `svd` leaves zeros
out and never cuts between equal values. What is then made of Σ uᵢ·f(σᵢ)·vᵢᵀ, or of polar factors,
does not depend on the choice either: it turns U into U·R and V into V·R, the polar factors turn
alike, and R·Rᵀ cancels, as R mixes nothing but equal values. What looks at singular vectors one by
one needs `basis`.

All of it is float64 on one thread, by the Gram matrix of the smaller side: what that loses lies
below a millionth of the largest singular value, and single precision ends there as well.
"""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.lowrank import one_thread

NOISE = 1e-5
"""What rounding leaves, as a share of the root mean square: of entries, or of singular values.

Entries rounded at random by a relative ε are off by a matrix whose singular values reach about 2ε
times the root mean square of its own; ε is 6e-8 in single precision, and a multiple of it where the
difference of two large weights is a small one.
"""

_GRAM = 1e-6  # of the largest singular value: the squares of smaller ones drown in its rounding
_EQUAL = 1e-10  # of the largest square: LAPACK mixes the vectors of values that are closer
_DEPENDENT = 2**-11.5  # √ε of single precision: a column this close to what others span lies in it


@dataclass(frozen=True, slots=True, eq=False)
class Svd:
    """left · diag(values) · right, the values descending and none of them zero."""

    left: Tensor  # [m, r]
    values: Tensor  # [r]
    right: Tensor  # [r, n]


def as_matrix(tensor: Tensor) -> Tensor:
    """A tensor as [out, rest] in float64: a convolution has a row per filter, a vector is a row."""
    rows = tensor.shape[0] if tensor.dim() > 1 else 1
    return tensor.double().reshape(rows, -1)


def noise_floor(*matrices: Tensor) -> float:
    """The singular value up to which there is but rounding, in what is made of these matrices."""
    squares = (float(one.square().sum()) / min(one.shape) for one in matrices)
    return NOISE * math.sqrt(max(squares, default=0.0))


@one_thread()
def svd(matrix: Tensor, count: int | None = None, floor: float | None = None) -> Svd:
    """The singular values above `floor` (by default the matrix's own noise) and their vectors.

    Not more than `count`, but those equal to the last of them are taken with it.
    """
    least = noise_floor(matrix) if floor is None else floor
    tall = matrix.shape[0] > matrix.shape[1]
    small = matrix.T if tall else matrix
    squares, vectors = torch.linalg.eigh(small @ small.T)
    squares, vectors = squares.clamp(min=0).flip(0), vectors.flip(1)
    values = squares.sqrt()
    kept = int((values > max(least, _GRAM * float(values[0]))).sum())
    if count is not None:
        kept = min(kept, _with_equals(squares, count))
    side = vectors[:, :kept].contiguous()
    other = (side.T @ small) / values[:kept, None]
    return Svd(other.T, values[:kept], side.T) if tall else Svd(side, values[:kept], other)


def _with_equals(squares: Tensor, count: int) -> int:
    """`count`, and as many more as are equal to the last of them."""
    if not 0 < count < len(squares):
        return count
    return int((squares >= squares[count - 1] - _EQUAL * squares[0]).sum())


@one_thread()
def orthonormal(matrix: Tensor) -> Tensor:
    """The nearest matrix with orthonormal columns (or rows): UVᵀ of its SVD, its polar factor.

    Where columns depend on each other it spans what they span, and nothing beside it.
    """
    found = svd(matrix, floor=_DEPENDENT)
    return found.left @ found.right


@one_thread()
def basis(matrix: Tensor) -> Tensor:
    """The left singular vectors [m, r], with one basis of all possible ones; signs remain free.

    Vectors of equal values are turned so that the first is the projection of a coordinate axis, the
    nearest one, onto the space they span, the second that of another onto what the first leaves of
    it, and so on.
    """
    found = svd(matrix)
    squares, left = found.values.square(), found.left.clone()
    apart = squares[:-1] - squares[1:] > _EQUAL * squares[:1]
    edges = [0, *(apart.nonzero().flatten() + 1).tolist(), len(squares)]
    for start, stop in itertools.pairwise(edges):
        if stop - start > 1:
            left[:, start:stop] = _nearest_axes(found.left[:, start:stop])
    return left


def _nearest_axes(vectors: Tensor) -> Tensor:
    """Another orthonormal basis [m, c] of the same space, which depends on the space alone."""
    rest, chosen = vectors.clone(), list[Tensor]()
    for _ in range(vectors.shape[1]):
        lengths = rest.square().sum(dim=1)
        nearest = int((lengths >= lengths.max() - _EQUAL).nonzero()[0])
        direction = rest[nearest] / lengths[nearest].sqrt()  # in coordinates of the old basis
        chosen.append(vectors @ direction)
        rest = rest - (rest @ direction)[:, None] * direction
    return torch.stack(chosen, dim=1)
