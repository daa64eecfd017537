"""TPE: densities of good and of other candidates, and what is likelier in the first."""

from __future__ import annotations

from typing import Annotated

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.spec import MANY, engine
from sdmerge.params import Range


@engine(title="TPE", paper="https://arxiv.org/abs/2304.11127", objectives=MANY)
def tpe(
    setup: Setup, *,
    batch: Annotated[int, Range(1, 32, limits=(1, 1000))] = 8,
    startup: Annotated[int, Range(1, 50, limits=(1, 1000))] = 16,
) -> Algorithm:  # fmt: skip
    """Densities of the good candidates and of the others; asks what is likeliest under the first.

    The tree-structured Parzen estimator, by Optuna, with genes that depend on each other as long
    as there is one score. Takes every kind of gene.

    batch: Candidates per generation, which are drawn with the same prompts and noise.
    startup: Candidates that are drawn at random before it begins.
    """
    from optuna.samplers import TPESampler

    from sdmerge.evolve.engine.sampled import Sampled

    def make(seed: int) -> TPESampler:
        return TPESampler(seed=seed, n_startup_trials=startup, constant_liar=False)

    return Sampled(setup, make, batch)
