"""NSGA-III: NSGA-II for three scores and more, spread out by reference directions."""

from __future__ import annotations

from typing import Annotated

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.spec import engine
from sdmerge.params import Range


@engine(title="NSGA-III", paper="https://doi.org/10.1109/TEVC.2013.2281535", objectives=(2, 8))
def nsga3(
    setup: Setup, *,
    population: Annotated[int, Range(8, 100, limits=(4, 10_000))] = 24,
) -> Algorithm:  # fmt: skip
    """A Pareto front of three scores and more, spread out by directions instead of by crowding.

    Deb and Jain's NSGA-III, by Optuna, with simulated binary crossover of numbers; one gene in n
    is drawn anew.

    population: Candidates per generation, and so how many points of the front it keeps.
    """
    from optuna.samplers import NSGAIIISampler
    from optuna.samplers.nsgaii import SBXCrossover

    from sdmerge.evolve.engine.sampled import Bred

    def make(seed: int) -> NSGAIIISampler:
        return NSGAIIISampler(
            population_size=population,
            seed=seed,
            crossover=SBXCrossover(),
        )

    return Bred(setup, make, population)
