"""What a search is, and how long it goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sdmerge.evolve.exam import Evaluation
from sdmerge.params import Scalar
from sdmerge.scoring.prompts import Line


@dataclass(frozen=True, slots=True)
class Objective:
    """A weighted sum of scorers' columns, the better the higher: `terms` are columns and weights.

    The weight of a scorer whose lower numbers are the better ones is negative.
    """

    name: str
    terms: tuple[tuple[str, float], ...]

    def per_prompt(self, evaluation: Evaluation) -> tuple[float, ...]:
        """A number per prompt."""
        columns = [(evaluation.per_prompt(column), weight) for column, weight in self.terms]
        count = len(columns[0][0])
        return tuple(
            math.fsum(weight * scores[place] for scores, weight in columns)
            for place in range(count)
        )


@dataclass(frozen=True, slots=True)
class Options:
    """All that decides what is evaluated and told, but for the recipe and its genes.

    seed: Of the engine, and of the noise of every generation.
    search, validation: Prompts; the engine hears of the first alone.
    images: Pictures per prompt.
    objectives: What is searched for; report: what is only looked at.
    floors: What candidates may not fall below the best parent in.
    prompts_per_generation: A sample of the search prompts for each generation; 0: all.
    redraw_every: Generations that share their sample of prompts and their noise; 0: all.
    halving: 3 draws a third of the prompts for everybody and the rest for the better half; 0: off.
    validate_every: Generations between validations.
    """

    engine: str
    seed: int
    search: tuple[Line, ...]
    objectives: tuple[Objective, ...]
    validation: tuple[Line, ...] = ()
    images: int = 1
    report: tuple[Objective, ...] = ()
    diversity: Objective | None = None
    """Of the report, the one that says how much the pictures of a prompt differ."""
    params: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    floors: tuple[Objective, ...] = ()
    prompts_per_generation: int = 0
    redraw_every: int = 1
    halving: int = 0
    validate_every: int = 5
    round_of: int = 12
    """Candidates that make a generation where the engine asks one at a time."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a search needs of every candidate."""
        return _columns(*self.objectives, *self.floors)

    @property
    def every_column(self) -> tuple[str, ...]:
        """Those, and the ones that are only looked at."""
        return tuple(dict.fromkeys((*self.columns, *_columns(*self.report))))


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a search goes on: till the first of these is spent.

    trials: Candidates evaluated, in all runs together. hours: Of this run. patience: Generations
        without a new incumbent.
    """

    trials: int | None = None
    hours: float | None = None
    patience: int | None = None


def mean(numbers: Sequence[float]) -> float:
    """The mean, the same whatever the order."""
    return math.fsum(numbers) / len(numbers)


def _columns(*objectives: Objective) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for one in objectives for column, _ in one.terms))
