"""Bounds: how much of a matrix its best approximation of low rank is to keep."""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ROUNDING = 1e-12  # of a share: rounding must not cost a rank


@dataclass(frozen=True, slots=True)
class Bounds:
    """The smallest rank that keeps to all that is given, and not more than `rank` in any case.

    `energy` is the share of the squared norm to keep, `error` the largest relative error,
    `quantile` the share of the sum of the singular values (LyCORIS's quantile, kohya's
    sv_cumulative); with `ratio` values of that share of the largest stay.
    """

    rank: int | None = None
    energy: float | None = None
    error: float | None = None
    ratio: float | None = None
    quantile: float | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether the rank is all that is asked for."""
        return self.rank is not None and self.open == Bounds()

    @property
    def open(self) -> Bounds:
        """The same without a limit of the rank."""
        return Bounds(None, self.energy, self.error, self.ratio, self.quantile)

    def kept(self, sigma: Tensor) -> int:
        """The rank to keep of a matrix with these singular values, descending.

        At least 1: a file cannot hold less.
        """
        lost = lost_shares(sigma)
        wanted = int((lost > 0).sum())
        asked = [int((lost > allowed * (1 + _ROUNDING)).sum()) for allowed in self._allowed()]
        if self.ratio is not None:
            asked.append(int((sigma >= self.ratio * sigma.max() * (1 - _ROUNDING)).sum()))
        if self.quantile is not None:
            reached = sigma.cumsum(0) >= self.quantile * sigma.sum() * (1 - _ROUNDING)
            asked.append(int((~reached).sum()) + 1)
        kept = min(wanted, max(asked)) if asked else wanted
        return max(1, kept if self.rank is None else min(kept, self.rank))

    def _allowed(self) -> list[float]:
        """The shares of the squared norm that may be lost."""
        given = [] if self.energy is None else [1 - self.energy]
        return given if self.error is None else [*given, self.error**2]


def lost_shares(sigma: Tensor) -> Tensor:
    """Per rank 0 … n the share of the squared norm that is cut off; noise counts as nothing."""
    noise = sigma.max() * len(sigma) * torch.finfo(sigma.dtype).eps
    squares = torch.where(sigma > noise, sigma, 0).square()
    tail = torch.cat([squares.flip(0).cumsum(0).flip(0), squares.new_zeros(1)])
    return tail / tail[0] if tail[0] > 0 else tail
