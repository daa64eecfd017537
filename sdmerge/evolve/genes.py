"""Genes: what a search may change, by name, and the unit cube that optimisers see.

A candidate is one value per gene, as people read it: `{"models[ja].parameters.weight": 0.7}`. Every
score is the better the higher it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sdmerge.params import Scalar

Kind = Literal["float", "int", "choice"]
Candidate = Mapping[str, Scalar]
"""Gene name → value: what is evaluated, kept in ledgers and exported."""


@dataclass(frozen=True, slots=True)
class Gene:
    """One value to search: a number from `low` to `high`, or one of `choices`.

    `init` is where a search starts. A switch is a choice of False and True.
    """

    name: str
    kind: Kind
    init: Scalar
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Scalar, ...] = ()

    def position(self, value: Scalar) -> float:
        """Where `value` lies between 0 and 1; the middle of its share for a choice."""
        if self.kind == "choice":
            return (self.choices.index(value) + 0.5) / len(self.choices)
        low, high, at = (self._scaled(x) for x in (self.low, self.high, float(value)))
        return (at - low) / (high - low)

    def value(self, position: float) -> Scalar:
        """The value at `position`; positions outside 0 to 1 count as the nearest end."""
        inside = min(1.0, max(0.0, position))
        if self.kind == "choice":
            return self.choices[min(int(inside * len(self.choices)), len(self.choices) - 1)]
        low, high = self._scaled(self.low), self._scaled(self.high)
        at = low + inside * (high - low)
        # rounding must not leave the range
        number = min(self.high, max(self.low, math.exp(at) if self.log else at))
        return round(number) if self.kind == "int" else float(number)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a candidate: a score per objective, and the first one's score per prompt."""

    candidate: Candidate
    scores: tuple[float, ...]
    prompts: tuple[float, ...] = ()

    @property
    def score(self) -> float:
        """The first objective's score, the only one of most searches."""
        return self.scores[0]


def positions(genes: Sequence[Gene], candidate: Candidate) -> list[float]:
    """The candidate's place in the unit cube, in the order of `genes`."""
    return [gene.position(candidate[gene.name]) for gene in genes]


def candidate_at(genes: Sequence[Gene], place: Sequence[float]) -> Candidate:
    """The candidate at a place of the unit cube."""
    return {gene.name: gene.value(at) for gene, at in zip(genes, place, strict=True)}
