"""Gaussian process: a smooth guess of the score everywhere, with its doubt."""

from __future__ import annotations

from typing import Annotated

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.spec import MANY, engine
from sdmerge.params import Range


@engine(title="Gaussian process", paper="https://arxiv.org/abs/2310.20708", objectives=MANY)
def gp(
    setup: Setup, *,
    batch: Annotated[int, Range(1, 16, limits=(1, 100))] = 4,
    startup: Annotated[int, Range(2, 50, limits=(1, 1000))] = 12,
) -> Algorithm:  # fmt: skip
    """A smooth guess of the score everywhere, with its doubt; asks where most may be gained.

    Bayesian optimisation by Optuna: a Matérn kernel, noise that is fitted, the logarithm of
    expected improvement. Best with up to about 15 genes and 150 candidates: it takes seconds for
    each where there are many.

    batch: Candidates per generation, which are drawn with the same prompts and noise.
    startup: Candidates that are drawn at random before it begins.
    """
    from optuna.samplers import GPSampler

    from sdmerge.evolve.engine.sampled import Sampled

    def make(seed: int) -> GPSampler:
        return GPSampler(seed=seed, n_startup_trials=startup)

    return Sampled(setup, make, batch)
