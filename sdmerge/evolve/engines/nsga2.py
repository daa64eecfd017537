"""NSGA-II: generations that are sorted by dominance and spread out by crowding."""

from __future__ import annotations

from typing import Annotated

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.spec import MANY, engine
from sdmerge.params import Range


@engine(title="NSGA-II", paper="https://doi.org/10.1109/4235.996017", objectives=MANY)
def nsga2(
    setup: Setup, *,
    population: Annotated[int, Range(8, 100, limits=(4, 10_000))] = 24,
) -> Algorithm:  # fmt: skip
    """A Pareto front by crossover and mutation, sorted by dominance and spread out by crowding.

    Deb's NSGA-II, by Optuna, with simulated binary crossover of numbers; one gene in n is drawn
    anew.

    population: Candidates per generation, and so how many points of the front it keeps.
    """
    from optuna.samplers import NSGAIISampler
    from optuna.samplers.nsgaii import SBXCrossover

    from sdmerge.evolve.engine.sampled import Bred

    def make(seed: int) -> NSGAIISampler:
        return NSGAIISampler(
            population_size=population,
            seed=seed,
            crossover=SBXCrossover(),
        )

    return Bred(setup, make, population)
