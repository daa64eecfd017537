"""COMO-CatCMA with margin: a front of two scores, kept by several distributions at once."""

# cmaes has no types of its own for what its objects keep
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.cube import dice, finite, seed_of, uniform
from sdmerge.evolve.engine.mixed import Mixed
from sdmerge.evolve.engine.spec import engine
from sdmerge.evolve.genes import Candidate, Told
from sdmerge.params import Range


@engine(title="COMO-CatCMA", paper="https://arxiv.org/abs/1904.08823", objectives=(2, 2))
def como(
    setup: Setup, *,
    kernels: Annotated[int, Range(2, 20, limits=(2, 100))] = 6,
    sigma: Annotated[float, Range(0.05, 0.5, limits=(1e-3, 2.0))] = 0.2,
) -> Algorithm:  # fmt: skip
    """A Pareto front of two scores: several distributions, each at another stretch of the front.

    Every distribution (a CatCMA with margin, by `cmaes`) climbs by how much of the space between
    the scores it would add to the others. The first starts at the start, the others anywhere. A
    generation is one distribution's population, and the mean of the one before.

    kernels: Distributions, and so the points of the front that it aims at.
    sigma: The standard deviation they start with, as a share of every range.
    """
    return Como(setup, kernels, sigma)


class Como:
    """cmaes.COMOCatCMAwM, of kernels without walls."""

    def __init__(self, setup: Setup, kernels: int, sigma: float) -> None:
        import cmaes

        self.mixed = Mixed(setup.genes)
        random = dice(setup.seed)
        starts = [setup.start, *(uniform(setup.genes, random) for _ in range(kernels - 1))]
        made = [
            self.mixed.kernel(self.mixed.place(one), self.mixed.shares(), sigma=sigma)
            for one in starts
        ]
        # of the spaces it only asks whether there are any: the kernels know theirs
        self.optimiser: Any = cmaes.COMOCatCMAwM(
            x_space=[[0.0, 1.0]] * len(self.mixed.floats) or None,
            z_space=[[0.0, 1.0]] * len(self.mixed.ints) or None,
            c_space=[2] * len(self.mixed.chosen) or None,
            kernels=made,
            seed=seed_of(setup.seed),
        )
        self.solutions: list[Any] = []

    def ask(self) -> list[Candidate]:
        self.solutions = list(self.optimiser.ask_iter())
        return [self.mixed.candidate(solution) for solution in self.solutions]

    def tell(self, told: Sequence[Told]) -> None:
        losses = -finite([one.scores for one in told])
        self.optimiser.tell(list(zip(self.solutions, losses.tolist(), strict=True)))

    def centre(self) -> Candidate | None:
        return None

    def memory(self) -> Mapping[str, object]:
        return {"optimiser": self.optimiser, "solutions": self.solutions}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.optimiser, self.solutions = memory["optimiser"], memory["solutions"]
