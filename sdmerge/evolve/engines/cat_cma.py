"""CatCMA with margin: CMA-ES where some genes are whole numbers or choices."""

# cmaes has no types of its own for what its objects keep
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.cube import default_population, finite, seed_of
from sdmerge.evolve.engine.mixed import Mixed
from sdmerge.evolve.engine.spec import engine
from sdmerge.evolve.genes import Candidate, Told
from sdmerge.params import Range


@engine(title="CatCMA with margin", paper="https://arxiv.org/abs/2504.07884")
def cat_cma(
    setup: Setup, *,
    sigma: Annotated[float, Range(0.05, 0.5, limits=(1e-3, 2.0))] = 0.2,
    population: Annotated[int, Range(0, 64, limits=(0, 10_000))] = 0,
) -> Algorithm:  # fmt: skip
    """CMA-ES for numbers, whole numbers and choices at once.

    A normal distribution with a margin, so that whole numbers do not freeze, beside a share per
    choice; by `cmaes`. The start is the mean, and its choices are drawn half of the time at first.

    sigma: The standard deviation it starts with, as a share of every range.
    population: Candidates per generation; 0 is the larger of 12 and 4 + ⌊3 ln n⌋ of n genes.
    """
    return CatCma(setup, sigma, population or default_population(len(setup.genes)))


class CatCma:
    """cmaes.CatCMAwM without walls; candidates are its samples reflected into the cube."""

    def __init__(self, setup: Setup, sigma: float, population: int) -> None:
        self.mixed = Mixed(setup.genes)
        place, shares = self.mixed.place(setup.start), self.mixed.shares(setup.start)
        self.optimiser = self.mixed.kernel(
            place, shares, sigma=sigma, population_size=population, seed=seed_of(setup.seed)
        )
        self.solutions: list[Any] = []

    def ask(self) -> list[Candidate]:
        self.solutions = [self.optimiser.ask() for _ in range(self.optimiser.population_size)]
        return [self.mixed.candidate(solution) for solution in self.solutions]

    def tell(self, told: Sequence[Told]) -> None:
        losses = -finite([one.scores for one in told])[:, 0]
        self.optimiser.tell(list(zip(self.solutions, losses.tolist(), strict=True)))

    def centre(self) -> Candidate:
        return self.mixed.centre(self.optimiser)

    def memory(self) -> Mapping[str, object]:
        return {"optimiser": self.optimiser, "solutions": self.solutions}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.optimiser, self.solutions = memory["optimiser"], memory["solutions"]
