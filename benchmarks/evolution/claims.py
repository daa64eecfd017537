"""What the miniature was built to ask, answered by intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.evolution.judging import Judged
from benchmarks.evolution.rows import POOL
from sdmerge.scoring.statistics import Difference


@dataclass(frozen=True, slots=True)
class Claim:
    """A difference by the oracle; it holds if zero lies below its interval."""

    text: str
    seed: int | None
    gap: Difference

    @property
    def holds(self) -> bool:
        """Whether the lower bound is above zero."""
        return self.gap.low > 0


def claims(judged: Sequence[Judged]) -> Iterator[Claim]:
    """Every comparison, for every seed of the optimiser."""
    parents = [one for one in judged if one.name in ("base", *POOL)]
    best = max(parents, key=lambda one: one.mean("oracle").mean)
    soup, one_lambda = _first(judged, "uniform soup"), _first(judged, "task arithmetic, one λ")
    spoiled = _first(judged, "task arithmetic with the distractor")
    for name in ("CMA-ES, 3 genes", "CMA-ES, 9 genes"):
        for one in _every(judged, name):
            yield _claim(one, best, f"{name} − best parent")
            yield _claim(one, soup, f"{name} − uniform soup")
            yield _claim(one, one_lambda, f"{name} − task arithmetic, one λ")
    tuned = {one.seed: one for one in _every(judged, "random, 3 genes")}
    for one in _every(judged, "CMA-ES, 3 genes"):
        if one.seed in tuned:
            yield _claim(one, tuned[one.seed], "CMA-ES − random search, 3 genes each")
    for one in _every(judged, "CMA-ES with the distractor, 4 genes"):
        yield _claim(one, spoiled, "with the distractor: CMA-ES − task arithmetic, one λ")
    whole = _every(judged, "CMA-ES, 9 genes")[:1]
    for one in _every(judged, "CMA-ES, 9 genes, 8 prompts and one noise") if whole else []:
        yield _claim(one, whole[0], "over-fitted − CMA-ES, 9 genes")


def _claim(one: Judged, other: Judged, text: str) -> Claim:
    return Claim(text, one.seed, one.ahead(other, "oracle"))


def _every(judged: Sequence[Judged], name: str) -> list[Judged]:
    """A search with every seed; none if it was not asked for."""
    return [one for one in judged if one.name == name]


def _first(judged: Sequence[Judged], start: str) -> Judged:
    """A merge without a search; its name ends with the setting that was best."""
    return next(one for one in judged if one.name.startswith(start))
