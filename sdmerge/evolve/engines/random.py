"""Random search: the baseline that every other engine has to beat at the same budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.cube import dice, uniform
from sdmerge.evolve.engine.spec import MANY, engine
from sdmerge.evolve.genes import Candidate, Told
from sdmerge.params import Range


@engine(
    title="Random search",
    paper="https://jmlr.org/papers/v13/bergstra12a.html",
    objectives=MANY,
)
def random(
    setup: Setup, *, batch: Annotated[int, Range(1, 64, limits=(1, 10_000))] = 16
) -> Algorithm:
    """Candidates drawn evenly from the whole space, whatever the scores.

    batch: Candidates per generation, which are drawn with the same prompts and noise.
    """
    return Random(setup, batch)


class Random:
    """Its memory is the number of batches so far."""

    def __init__(self, setup: Setup, batch: int) -> None:
        self.setup, self.batch, self.batches = setup, batch, 0

    def ask(self) -> list[Candidate]:
        self.batches += 1
        drawn = dice(self.setup.seed, self.batches)
        return [uniform(self.setup.genes, drawn) for _ in range(self.batch)]

    def tell(self, told: Sequence[Told]) -> None:
        """Nothing follows from it."""

    def centre(self) -> Candidate | None:
        return None

    def memory(self) -> Mapping[str, object]:
        return {"batches": self.batches}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.batches = int(memory["batches"])
