"""CMA-ES: a normal distribution that moves and stretches towards what scores well."""

# cmaes has no types of its own for what its objects keep
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np

from sdmerge.errors import EngineError
from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.cube import Floats, default_population, dice, finite, reflect, seed_of
from sdmerge.evolve.engine.spec import engine
from sdmerge.evolve.genes import Candidate, Told, candidate_at, positions
from sdmerge.params import Range

Covariance = Literal["auto", "full", "diagonal"]
FULL_UP_TO = 60
"""Genes from which on a full covariance takes more evaluations to learn than a search has."""
_RESOLUTION = 1e-3
"""A population within this share of every range has nothing left to find."""
_SMALLEST = 4


@engine(title="CMA-ES", paper="https://arxiv.org/abs/1604.00772", kinds=("float", "int"))
def cma_es(
    setup: Setup, *,
    sigma: Annotated[float, Range(0.05, 0.5, limits=(1e-3, 2.0))] = 0.2,
    population: Annotated[int, Range(0, 64, limits=(0, 10_000))] = 0,
    covariance: Covariance = "auto",
    lr_adapt: bool = False,
    restarts: bool = False,
) -> Algorithm:  # fmt: skip
    """A normal distribution that moves and stretches towards what scores well; start is its mean.

    Hansen's CMA-ES in the unit cube, by `cmaes`. Samples beyond a range are reflected into it.
    Whole numbers are rounded; for choices there is cat-cma. The separable variant, whose time and
    memory grow with the number of genes only linearly, is Ros and Hansen's (PPSN 2008).

    sigma: The standard deviation it starts with, as a share of every range.
    population: Candidates per generation; 0 is the larger of 12 and 4 + ⌊3 ln n⌋ of n genes.
    covariance: Whether it learns how genes depend on each other; auto does up to 60 genes.
    lr_adapt: Steps that shrink as scores get noisier (https://arxiv.org/abs/2304.03473). It needs
        far more than a thousand candidates: with fewer it ended farther off whatever the noise.
    restarts: Start anew elsewhere with twice the population when it has converged (IPOP).
    """
    if 0 < population < _SMALLEST:
        hint = "Smaller populations cannot be ranked into a better and a worse half; 0 chooses one."
        raise EngineError(f"cma-es with a population of {population}", hint=hint)
    return CmaEs(setup, sigma, population, covariance, lr_adapt=lr_adapt, restarts=restarts)


class CmaEs:
    """cmaes.CMA or cmaes.SepCMA, unbounded; candidates are its samples reflected into the cube."""

    def __init__(
        self, setup: Setup, sigma: float, population: int, covariance: Covariance, *,
        lr_adapt: bool, restarts: bool,
    ) -> None:  # fmt: skip
        count = len(setup.genes)
        self.setup, self.sigma, self.lr_adapt, self.may_restart = setup, sigma, lr_adapt, restarts
        self.full = covariance == "full" or count == 1
        self.full = self.full or (covariance == "auto" and count <= FULL_UP_TO)
        if lr_adapt and not self.full:
            hint = "Add covariance: full, or leave lr_adapt out."
            raise EngineError("lr_adapt needs a full covariance", hint=hint)
        self.population = population or default_population(count)
        self.restarts = 0
        self.samples: Floats = np.empty((0, count))
        self.optimiser = self._fresh(np.array(positions(setup.genes, setup.start)))

    def ask(self) -> list[Candidate]:
        size = self.optimiser.population_size
        self.samples = np.stack([self.optimiser.ask() for _ in range(size)])
        return [self._candidate(sample) for sample in self.samples]

    def tell(self, told: Sequence[Told]) -> None:
        losses = -finite([one.scores for one in told])[:, 0]
        pairs = zip(self.samples, losses.tolist(), strict=True)
        self.optimiser.tell(list(pairs))
        if self.may_restart and self._converged():
            self.restarts += 1
            random = dice(self.setup.seed, self.restarts)
            self.optimiser = self._fresh(random.random(len(self.setup.genes)))

    def centre(self) -> Candidate:
        return self._candidate(self.optimiser.mean)

    def memory(self) -> Mapping[str, object]:
        kept = {"optimiser": self.optimiser, "samples": self.samples}
        return {**kept, "restarts": self.restarts}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.optimiser, self.samples = memory["optimiser"], memory["samples"]
        self.restarts = int(memory["restarts"])

    def _fresh(self, mean: Floats) -> Any:
        """An optimiser at `mean`, its population doubled for every restart."""
        import cmaes

        seed = seed_of(self.setup.seed, self.restarts)
        size = self.population * 2**self.restarts
        if self.full:
            return cmaes.CMA(
                mean, self.sigma, seed=seed, population_size=size, lr_adapt=self.lr_adapt
            )
        return cmaes.SepCMA(mean, self.sigma, seed=seed, population_size=size)

    def _converged(self) -> bool:
        spread = float(self.samples.std(axis=0).max())
        return spread < _RESOLUTION or bool(self.optimiser.should_stop())

    def _candidate(self, sample: Floats) -> Candidate:
        return candidate_at(self.setup.genes, reflect(sample).tolist())
