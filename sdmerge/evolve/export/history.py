"""History: what a study holds, as the report and the statistics need it.

Objectives are the better the higher they are; so are columns, but for those of `lower`.
`read_history` of sdmerge.evolve.export.reading makes it from a study's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sdmerge.evolve.genes import Candidate, Gene
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe

Kind = Literal["parent", "soup", "sweep", "start", "added", "winner"]
"""What stands beside a winner: a parent, the uniform soup, task arithmetic with one weight for all,
the recipe where the search began, and what the user added.
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """A recipe without search marks, and how it is drawn."""

    name: str
    kind: Kind
    recipe: Recipe
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])


@dataclass(frozen=True, slots=True)
class Trial:
    """An evaluation on search prompts. Baselines have generation -1, a `kind` and a `name`; so has
    what was added to the search at work, but for the generation whose exam it sat.

    number: How many candidates had been asked for before it. An incumbent was evaluated again, on
        its generation's prompts and seeds, after the last of that generation.
    objectives: A number per objective; none if it failed, or was given up on a part of the prompts.
    """

    number: int
    generation: int
    candidate: Candidate
    objectives: tuple[float, ...]
    kind: Kind | Literal["candidate", "incumbent"] = "candidate"
    name: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Validation:
    """Scores on the validation prompts: of the incumbent or the centre, or of a baseline.

    trial: The number of the candidate's trial; None for the centre of a distribution, and for what
        no engine asked for.
    scores: Column → a number per prompt.
    """

    generation: int
    kind: Kind | Literal["incumbent", "centre"]
    scores: Mapping[str, tuple[float, ...]]
    candidate: Candidate = field(default_factory=dict[str, Scalar])
    trial: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """What the search said of itself at a generation: an alarm."""

    generation: int
    words: str


@dataclass(frozen=True, slots=True)
class Test:
    """A test run: who took part, what it was worth. `runs` counts how often test was run.

    scores: Contender → column → a number per prompt; the first contender is the winner.
    kinds: Contender → what it is.
    """

    __test__ = False  # no class of tests

    runs: int
    scores: Mapping[str, Mapping[str, tuple[float, ...]]]
    kinds: Mapping[str, Kind]
    pictures: int = 0
    """Pictures of each contender."""
    flags: Mapping[str, int] = field(default_factory=dict[str, int])
    """Contender → how many of its pictures were degenerate, and got the worst score."""

    @property
    def winner(self) -> str:
        """The winner's name."""
        return next(iter(self.scores))

    @property
    def prompts(self) -> int:
        """How many prompts there were."""
        return len(next(iter(self.scores[self.winner].values())))


@dataclass(frozen=True, slots=True)
class History:
    """A study so far.

    fitness, report: Columns that were optimised, and columns that never were.
    objectives: What each of a trial's objectives is called.
    judge: The column that winners are chosen by, on validation.
    lower: Columns whose lower numbers are the better ones; all of their numbers stay as they are.
    """

    name: str
    genes: tuple[Gene, ...]
    trials: tuple[Trial, ...]
    validations: tuple[Validation, ...]
    objectives: tuple[str, ...]
    fitness: tuple[str, ...]
    report: tuple[str, ...]
    judge: str
    lower: tuple[str, ...] = ()
    engine: str = ""
    seed: int = 0
    alarms: tuple[Warned, ...] = ()
    test: Test | None = None

    @property
    def searched(self) -> tuple[Trial, ...]:
        """The trials that the engine asked for."""
        return tuple(trial for trial in self.trials if trial.kind == "candidate")

    @property
    def incumbents(self) -> tuple[Trial, ...]:
        """The best so far of each generation, on that generation's exam."""
        return tuple(trial for trial in self.trials if trial.kind == "incumbent")

    @property
    def baselines(self) -> tuple[Trial, ...]:
        """What was evaluated before the search began."""
        return tuple(trial for trial in self.trials if trial.generation < 0)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every scorer's column, those that were optimised first."""
        return (*self.fitness, *(one for one in self.report if one not in self.fitness))
