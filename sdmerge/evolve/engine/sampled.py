"""Optuna's samplers as engines: every batch is a function of the seed and of what was told.

A fresh sampler with its own seed is handed a study in memory that holds the history, so that an
engine's whole state is that history. No liar stands in for candidates that are not told yet.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseGASampler, BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, create_trial

from sdmerge.evolve.engine.algorithm import Setup
from sdmerge.evolve.engine.cube import finite, seed_of
from sdmerge.evolve.genes import Candidate, Gene, Told

Scores = tuple[float, ...]
Known = tuple[Candidate, Scores]


class Sampled:
    """A sampler that looks at the whole history. `make` opens one with the seed it is given."""

    def __init__(self, setup: Setup, make: Callable[[int], BaseSampler], batch: int) -> None:
        self.setup, self.make, self.batch = setup, make, batch
        self.space = {gene.name: distribution(gene) for gene in setup.genes}
        self.batches = 0
        self.history: list[Known] = []

    def ask(self) -> list[Candidate]:
        self.batches += 1
        with quietly():
            sampler = self.make(seed_of(self.setup.seed, self.batches))
            study = study_of(sampler, frozen(self.history, self.space))
            found = [draw(study, self.space) for _ in range(self.batch)]
        return begun(found, self.setup, self.history)

    def tell(self, told: Sequence[Told]) -> None:
        self.history += [(dict(one.candidate), one.scores) for one in told]

    def centre(self) -> Candidate | None:
        return None

    def memory(self) -> Mapping[str, object]:
        return {"batches": self.batches, "history": self.history}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.batches, self.history = int(memory["batches"]), list(memory["history"])


class Bred:
    """A genetic sampler, which needs no more than the last generation and its parents."""

    def __init__(self, setup: Setup, make: Callable[[int], BaseGASampler], population: int) -> None:
        self.setup, self.make, self.population = setup, make, population
        self.space = {gene.name: distribution(gene) for gene in setup.genes}
        self.batches = 0
        self.parents: list[Known] = []
        self.last: list[Known] = []

    def ask(self) -> list[Candidate]:
        self.batches += 1
        known = [*self.parents, *self.last]
        # generation 0 are those that were parents before, if there were any
        born = [0] * len(self.parents) + [int(bool(self.parents))] * len(self.last)
        with quietly():
            sampler = self.make(seed_of(self.setup.seed, self.batches))
            key = sampler._get_generation_key()  # pyright: ignore[reportPrivateUsage]  no other name
            study = study_of(sampler, frozen(known, self.space, [{key: age} for age in born]))
            found = [draw(study, self.space) for _ in range(self.population)]
            if known:
                chosen = sampler.get_parent_population(study, max(born) + 1)
                self.parents = [known[trial.number] for trial in chosen]
        return begun(found, self.setup, known)

    def tell(self, told: Sequence[Told]) -> None:
        self.last = [(dict(one.candidate), one.scores) for one in told]

    def centre(self) -> Candidate | None:
        return None

    def memory(self) -> Mapping[str, object]:
        return {"batches": self.batches, "parents": self.parents, "last": self.last}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.batches = int(memory["batches"])
        self.parents, self.last = list(memory["parents"]), list(memory["last"])


def distribution(gene: Gene) -> BaseDistribution:
    """A gene as Optuna knows it."""
    if gene.kind == "choice":
        return CategoricalDistribution(gene.choices)
    if gene.kind == "int":
        return IntDistribution(round(gene.low), round(gene.high), log=gene.log)
    return FloatDistribution(gene.low, gene.high, log=gene.log)


def frozen(
    known: Sequence[Known],
    space: Mapping[str, BaseDistribution],
    marks: Sequence[dict[str, Any]] = (),
) -> list[FrozenTrial]:
    """Finished trials of losses; scores that are not finite count as the worst known."""
    table = (-finite([scores for _, scores in known])).tolist()
    every = marks or [{} for _ in known]
    return [
        create_trial(
            params=dict(candidate), distributions=dict(space), values=values, system_attrs=mark
        )
        for (candidate, _), values, mark in zip(known, table, every, strict=True)
    ]


def study_of(sampler: BaseSampler, trials: Sequence[FrozenTrial]) -> optuna.Study:
    """A study in memory that holds `trials` and minimises as many losses as they have.

    It does not maximise scores: NSGA-III spreads its population as if every value were a loss.
    """
    count = len(trials[0].values) if trials else 1
    directions = [StudyDirection.MINIMIZE] * count
    study = optuna.create_study(sampler=sampler, directions=directions)
    study.add_trials(trials)
    return study


def draw(study: optuna.Study, space: Mapping[str, BaseDistribution]) -> Candidate:
    """The sampler's next candidate; the study takes it for one that is being evaluated."""
    params = study.ask(dict(space)).params
    return {name: params[name] for name in space}


def begun(found: list[Candidate], setup: Setup, known: Sequence[Known]) -> list[Candidate]:
    """The candidates; of the first batch, the first is where the search starts."""
    return found if known else [dict(setup.start), *found[1:]]


@contextlib.contextmanager
def quietly() -> Generator[None]:
    """Without Optuna's notes, such as one per study, and that its crossovers may change one day."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
