"""Every engine holds to the laws, and an engine that breaks one is caught."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.cube import dice, uniform
from sdmerge.evolve.engine.spec import Engines, engine
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.genes import Candidate, Told
from sdmerge.testing import check_engine

OTHERWISE: Mapping[str, Mapping[str, Any]] = {
    "random": {"learns": False},
    "preferential": {"budget": 48},
    "tpe": {"budget": 36},
    "gp": {"budget": 18, "startup": 13, "batch": 1},
    "nsga3": {"population": 12},
    "nsga2": {"population": 12},
    "como": {"kernels": 3, "budget": 200},
}


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_laws(name: str) -> None:
    check_engine(name, **OTHERWISE.get(name, {}))


class Broken:
    """Random search, as it should be."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.batches = setup, 0

    def ask(self) -> list[Candidate]:
        self.batches += 1
        random = dice(self.setup.seed, self.batches)
        return [uniform(self.setup.genes, random) for _ in range(3)]

    def tell(self, told: Sequence[Told]) -> None: ...

    def centre(self) -> Candidate | None:
        return None

    def memory(self) -> Mapping[str, object]:
        return {"batches": self.batches}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.batches = memory["batches"]


class Timid(Broken):
    """It stays near a corner."""

    def ask(self) -> list[Candidate]:
        genes = {gene.name: gene for gene in self.setup.genes if gene.kind == "float"}
        return [
            {
                n: genes[n].value(genes[n].position(v) / 9) if n in genes else v
                for n, v in one.items()
            }
            for one in super().ask()
        ]


class Forgetful(Broken):
    def recall(self, memory: Mapping[str, Any]) -> None: ...


class Unseeded(Broken):
    def ask(self) -> list[Candidate]:
        self.batches += 1
        random = dice(int.from_bytes(os.urandom(4)), self.batches)
        return [uniform(self.setup.genes, random)]


class Deaf(Broken):
    def ask(self) -> list[Candidate]:
        return [{**one, "weight": 7.0} for one in super().ask()]


class Fragile(Broken):
    def tell(self, told: Sequence[Told]) -> None:
        if any(one.score != one.score for one in told):
            raise ZeroDivisionError


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (Timid, "it_beats_random_search"),
        (Forgetful, "restored_it_goes_on_alike"),
        (Unseeded, "the_same_seed_asks_the_same"),
        (Deaf, "candidates_are_whole_and_within_their_ranges"),
        (Fragile, "scores_may_be_broken"),
    ],
)
def test_what_breaks_a_law_is_caught(kind: type[Broken], law: str) -> None:
    engines = Engines()

    @engine(title="Broken", registry=engines)
    def broken(setup: Setup) -> Algorithm:
        """Nothing that works."""
        return kind(setup)

    with pytest.raises(AssertionError, match=law):
        check_engine("broken", budget=9, engines=engines)
