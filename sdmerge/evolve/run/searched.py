"""What the run needs of a search space and of an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sdmerge.evolve.genes import Candidate, Gene, Told
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe


class Searched(Protocol):
    """A search space: sdmerge.evolve.space.Space is one."""

    @property
    def genes(self) -> tuple[Gene, ...]:
        """What is searched."""
        ...

    @property
    def init(self) -> Candidate:
        """Where the recipe says to start."""
        ...

    def fill(self, candidate: Candidate) -> Recipe:
        """The recipe of a candidate, without search marks."""
        ...

    def sampling(self, candidate: Candidate) -> Mapping[str, Scalar]:
        """The sampler's settings that are genes."""
        ...


class Asked(Protocol):
    """An engine at work: sdmerge.evolve.engine.running.Engine is one."""

    def ask(self) -> list[Candidate]:
        """The next batch."""
        ...

    def tell(self, told: Sequence[Told]) -> None:
        """What came of that batch, in its order."""
        ...

    def centre(self) -> Candidate | None:
        """The mean of its distribution, if it has one."""
        ...

    def state(self) -> bytes:
        """From which `EngineOf.restore` makes one that decides the same."""
        ...


class EngineOf(Protocol):
    """How an engine is opened: sdmerge.evolve.engine.spec.EngineSpec is one."""

    def open(
        self, genes: Sequence[Gene], start: Candidate, seed: int, budget: int, **params: object
    ) -> Asked:
        """A fresh one."""
        ...

    def restore(self, state: bytes) -> Asked:
        """The one that wrote `state`."""
        ...
