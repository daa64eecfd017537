"""Ranks: how much of each module a smaller LoRA keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from sdmerge.bounds import Bounds
from sdmerge.errors import InputError


@dataclass(frozen=True, slots=True)
class Wanted:
    """One rule for the new ranks.

    rank: The same for all modules, where they have more.
    ratio: Keep the singular values of at least 1 / ratio of the module's largest.
    energy: The smallest rank that keeps this share of the squared norm.
    error: The smallest rank with at most this relative error.
    size: The file's largest size in bytes; ranks go where a byte says most.
    """

    rank: int | None = None
    ratio: float | None = None
    energy: float | None = None
    error: float | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        """Check that there is one rule, and one that can be kept."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        given = {name: value for name, value in given.items() if value is not None}
        if len(given) != 1:
            what = f"{len(given)} rules for the new ranks: {', '.join(given) or 'none'}"
            hint = "Give one of --rank, --ratio, --energy, --error, --size."
            raise InputError(what, hint=hint)
        name, value = next(iter(given.items()))
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise InputError(f"{name} {value:g} is outside {low:g}..{high:g}")

    def bounds(self, rank: int | None) -> Bounds:
        """What a module is to keep; `rank` is its share of the file's size."""
        ratio = None if self.ratio is None else 1 / self.ratio
        return Bounds(self.rank if rank is None else rank, self.energy, self.error, ratio)


_LIMITS = {
    "rank": (1, 2**16),
    "ratio": (1, 1e12),
    "energy": (0, 1),
    "error": (0, 1),
    "size": (1, 2**60),
}


def ranks_by_size(
    values: Mapping[str, Tensor], costs: Mapping[str, int], budget: int
) -> dict[str, int]:
    """The rank of each module that keeps most of the squared norm for at most `budget` bytes.

    values: Singular values by module, descending; costs: bytes of one rank. Every module keeps one
    rank; then those are taken in turn that keep most per byte (a knapsack filled greedily).
    """
    ranks = dict.fromkeys(values, 1)
    left = budget - sum(costs.values())
    names = list(values)
    gains = torch.cat([values[name][1:].square() / costs[name] for name in names])
    owners = torch.cat(
        [torch.full((len(values[name]) - 1,), place) for place, name in enumerate(names)]
    )
    order = torch.argsort(gains, descending=True, stable=True)
    for place, gain in zip(owners[order], gains[order], strict=True):
        name = names[int(place)]
        # a rank that finds no room ends its module: those after it keep less and cost the same
        if gain > 0 and costs[name] <= left:
            ranks[name] += 1
            left -= costs[name]
    return ranks
