"""Exact low-rank algebra: products, sums, norms and the best smaller rank, of up @ down.

BLAS and LAPACK round differently with another number of threads, another number of rows, or memory
that is not aligned. Here every call runs on one thread, over fixed blocks of rows, in aligned
memory: a slice of a product has the bytes of the whole, whoever asks for it.
"""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.bounds import Bounds, lost_shares

_ALIGNMENT = 64  # bytes; torch's own allocations have it, views into them need not
_BLOCK = 2**16  # elements of the product that one call computes, at least 16 rows of them


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """The matrix scale · up @ down; both factors float32 or both float64."""

    up: Tensor  # [o, r]
    down: Tensor  # [r, i]
    scale: float = 1.0

    @property
    def rank(self) -> int:
        """Columns of `up`; the product's own rank can be smaller."""
        return self.up.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Compressed:
    """Factors of smaller rank, and how far they are off."""

    factors: Factors
    error: float  # ‖whole − compressed‖ / ‖whole‖, Frobenius norms; 0 for a zero matrix


@contextmanager
def one_thread() -> Generator[None]:
    """Runs the calling thread's BLAS and LAPACK on one thread.

    torch's setting is per calling thread (ones that start later inherit it), so this is safe in a
    pool of workers, and a setting made in the main thread does not hold in older workers.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def dense(factors: Factors, start: int = 0, stop: int | None = None) -> Tensor:
    """The elements [start, stop) of scale · up @ down, flat in C order."""
    rows, columns = factors.up.shape[0], factors.down.shape[1]
    end = rows * columns if stop is None else stop
    if start >= end:
        return factors.up.new_zeros(0)
    step = max(16, _BLOCK // columns // 16 * 16)
    first = start // columns // step * step
    last = min(rows, (-(-end // columns) + step - 1) // step * step)
    down = aligned(factors.down)
    product = factors.up.new_empty(last - first, columns)
    with one_thread():
        for row in range(first, last, step):
            block = aligned(factors.up[row : min(row + step, last)])
            torch.mm(block, down, out=product[row - first : row - first + len(block)])
        if factors.scale != 1:
            product.mul_(factors.scale)
    return product.view(-1)[start - first * columns : end - first * columns]


def stack(parts: Sequence[Factors]) -> Factors:
    """The sum of all parts, exactly: their ranks add up. Unequal scales move into `up`."""
    scales = {part.scale for part in parts}
    down = torch.cat([part.down for part in parts])
    if len(scales) == 1:
        return Factors(torch.cat([part.up for part in parts], dim=1), down, scales.pop())
    return Factors(torch.cat([part.up * part.scale for part in parts], dim=1), down)


def compress(
    factors: Factors,
    bounds: Bounds | None = None,
    *,
    rank: int | None = None,
    energy: float | None = None,
    error: float | None = None,
) -> Compressed:
    """The best approximation of the smallest rank that keeps to `bounds` (see there).

    rank, energy and error are those of the bounds, for short.
    """
    wanted = Bounds(rank=rank, energy=energy, error=error) if bounds is None else bounds
    left, core, right = _core(factors)
    with one_thread():
        u, sigma, vh = torch.linalg.svd(core, full_matrices=False)
    lost, kept = lost_shares(sigma), wanted.kept(sigma)
    root = sigma[:kept].sqrt()
    with one_thread():
        up, down = left @ (u[:, :kept] * root), (vh[:kept] * root[:, None]) @ right.T
    dtype = factors.up.dtype
    return Compressed(Factors(up.to(dtype), down.to(dtype)), float(lost[kept].sqrt()))


def singular_values(factors: Factors) -> Tensor:
    """All min(o, i, r) singular values of the matrix, float64, the largest first."""
    with one_thread():
        return torch.linalg.svdvals(_core(factors)[1])


def decompose(factors: Factors) -> tuple[Tensor, Tensor, Tensor]:
    """(U [o, k], σ [k], Vᵀ [k, i]) in float64 of the matrix, of its numerical rank k."""
    left, core, right = _core(factors)
    with one_thread():
        u, sigma, vh = torch.linalg.svd(core, full_matrices=False)
        noise = sigma.max() * len(sigma) * torch.finfo(sigma.dtype).eps
        kept = int((sigma > noise).sum())
        return left @ u[:, :kept], sigma[:kept], vh[:kept] @ right.T


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """The angles between the spaces of two bases, in radians, the smallest first.

    `a` [n, p] and `b` [n, q] are orthonormal; there are min(p, q) angles. Björck & Golub 1973
    (doi:10.2307/2005662): cosines through UᵀV, small angles through their sines.
    """
    if a.shape[1] < b.shape[1]:
        a, b = b, a
    with one_thread():
        shared = a.T @ b
        cosines = torch.linalg.svdvals(shared).clamp(max=1)
        sines = torch.linalg.svdvals(b - a @ shared).flip(0).clamp(max=1)
    return torch.where(cosines.square() > 0.5, sines.asin(), cosines.acos())


def inner(a: Factors, b: Factors) -> float:
    """Sum of the elementwise product of two matrices of one shape, in float64."""
    with one_thread():
        ups = a.up.double().T @ b.up.double()
        downs = a.down.double() @ b.down.double().T
    return float((ups * downs).sum()) * a.scale * b.scale


def norm(factors: Factors) -> float:
    """Frobenius norm, in float64. √inner would lose half of the digits where parts cancel."""
    return float(_core(factors)[1].norm())


def _core(factors: Factors) -> tuple[Tensor, Tensor, Tensor]:
    """Float64 (left, core, right): left @ core @ right.T is the matrix, left, right orthonormal."""
    with one_thread():
        left, upper = torch.linalg.qr(factors.up.double())
        right, lower = torch.linalg.qr(factors.down.double().T)
        return left, upper @ lower.T * factors.scale, right


def aligned(matrix: Tensor) -> Tensor:
    """The matrix, contiguous at an aligned address."""
    matrix = matrix.contiguous()
    return matrix if matrix.data_ptr() % _ALIGNMENT == 0 else matrix.clone()
