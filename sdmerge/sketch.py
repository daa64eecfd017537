"""The leading singular vectors of a dense matrix, from a random sketch of it where that is enough.

Halko, Martinsson and Tropp, "Finding structure with randomness", 2011, algorithms 4.4 and 5.1: the
range of A·Ω for a thin random Ω, sharpened by powers of A·Aᵀ, and then the SVD of a matrix of that
few rows. Where the rank is not far below the sizes, or is to be found out, the Gram matrix of the
smaller side gives all singular values (spectrum.py). The random numbers are a function of their
place, so the bytes repeat; every product is made of whole matrices on one thread.
"""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import torch
from torch import Tensor

from sdmerge.bounds import Bounds
from sdmerge.lowrank import Factors, aligned, one_thread
from sdmerge.masks import stream_key, uniform_bits
from sdmerge.spectrum import svd

_EXTRA, _POWERS = 16, 2
"""Columns of Ω beside the rank, and powers of A·Aᵀ: the error is then 1.5 % over the least there is
where singular values fall as slowly as k^-0.2, and nearer where they fall faster."""
_FAR = 4
"""A sketch pays where it is this many times thinner than the matrix."""
_BLOCK = 1 << 15
_PRODUCT = 1 << 20


def approximate(matrix: Tensor, bounds: Bounds) -> Factors:
    """Factors of a dense float32 matrix [o, i] within the bounds, each with the root of σ."""
    if bounds.is_fixed and _FAR * ((bounds.rank or 0) + _EXTRA) <= min(matrix.shape):
        left, sigma, right = sketched(matrix, bounds.rank or 0)
        kept = max(1, int((sigma > 0).sum()))
    else:
        found = svd(matrix.double(), floor=0.0)
        left, sigma, right = found.left, found.values, found.right
        kept = bounds.kept(sigma) if len(sigma) else 0
    root = sigma[:kept].sqrt()
    up, down = left[:, :kept] * root, right[:kept] * root[:, None]
    if kept == 0:  # of nothing, and a file cannot hold less than one column
        up, down = matrix.new_zeros(len(matrix), 1), matrix.new_zeros(1, matrix.shape[1])
    return Factors(up.float().contiguous(), down.float().contiguous())


@one_thread()
def sketched(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """U [o, r], σ [r] and Vᵀ [r, i] of the `rank` leading singular values, nearly."""
    if matrix.shape[0] < matrix.shape[1]:
        left, sigma, right = sketched(matrix.T, rank)
        return right.T, sigma, left.T
    matrix = aligned(matrix)
    seen = matrix @ _omega(matrix.shape[1], rank + _EXTRA)
    for _ in range(_POWERS):
        seen = matrix @ _orthonormal(matrix.T @ _orthonormal(seen))
    basis = _orthonormal(seen)
    # the thin side's SVD by its QR: [i, l] is orthonormal columns times [l, l]
    inner, small = torch.linalg.qr((basis.T @ matrix).T.double())
    u, sigma, vh = torch.linalg.svd(small.T)
    left, right = basis @ u[:, :rank].float(), vh[:rank] @ inner.T
    return left, sigma[:rank].float(), right.float()


def _orthonormal(matrix: Tensor) -> Tensor:
    return torch.linalg.qr(matrix)[0]


def _omega(rows: int, columns: int) -> Tensor:
    """Random numbers of mean 0, the same ones always."""
    bits = uniform_bits(stream_key(0, "sketch", f"{rows} {columns}"), 0, rows * columns)
    numbers = torch.from_numpy(bits.astype("int64"))  # pyright: ignore[reportUnknownMemberType]
    return (numbers.float() / 2.0**31 - 1.0).reshape(rows, columns)


@one_thread()
def squared_norm(matrix: Tensor) -> float:
    """‖A‖², to single precision: in float64 over blocks that stay in the cache."""
    blocks = aligned(matrix.reshape(-1)).split(_BLOCK)
    return sum(float(torch.dot(block, block)) for block in blocks)


@one_thread()
def squared_distance(matrix: Tensor, factors: Factors) -> float:
    """‖A - scale·up·down‖², row block by row block."""
    rows = max(16, _PRODUCT // matrix.shape[1])
    off, down = 0.0, aligned(factors.down)
    for part, up in zip(matrix.split(rows), factors.up.split(rows), strict=True):
        product = aligned(up) @ down
        off += squared_norm(product.mul_(-factors.scale).add_(part))
    return off
