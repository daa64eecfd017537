"""What the author of an engine writes: a Setup comes in, an Algorithm comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sdmerge.evolve.genes import Candidate, Gene, Told


@dataclass(frozen=True, slots=True)
class Setup:
    """What is searched, from where, and how long."""

    genes: tuple[Gene, ...]
    start: Candidate
    seed: int
    budget: int
    """How many evaluations there will be; 0 if nobody knows."""


class Algorithm(Protocol):
    """The search itself. Whoever runs it asks and tells in turn, and only what was asked."""

    def ask(self) -> list[Candidate]:
        """The next candidates, complete; never none."""
        ...

    def tell(self, told: Sequence[Told]) -> None:
        """What came of them, in the same order. Scores may be NaN or infinite."""
        ...

    def centre(self) -> Candidate | None:
        """Where the search has its mean, if it has one: often better than any candidate."""
        ...

    def memory(self) -> Mapping[str, object]:
        """All that it knows beyond its setup, of the types that `memory.pack` takes."""
        ...

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Become, on the same setup, the algorithm that had this memory."""
        ...
