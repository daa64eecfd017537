"""Places in the unit cube, and dice that depend on nothing but a seed and what they are for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sdmerge.evolve.genes import Candidate, Gene
from sdmerge.params import Scalar

Floats = NDArray[np.float64]


def dice(seed: int, *purpose: int) -> np.random.Generator:
    """Random numbers for one purpose, such as the third batch. No state has to be kept."""
    return np.random.default_rng([seed % 2**63, *purpose])


def seed_of(seed: int, *purpose: int) -> int:
    """A seed of 32 bits for one purpose, for libraries that take no more."""
    return int(np.random.SeedSequence([seed % 2**63, *purpose]).generate_state(1)[0])


def reflect(place: Floats) -> Floats:
    """`place` folded into the cube: the world beyond a face is its mirror image.

    Clipping would put many candidates exactly on the face, and tell an optimiser that all of
    them are the same.
    """
    folded = 1.0 - np.abs(np.mod(place, 2.0) - 1.0)
    return np.where((place >= 0.0) & (place <= 1.0), place, folded)


def uniform(genes: Sequence[Gene], random: np.random.Generator) -> Candidate:
    """Any candidate, every value as likely as another (on a log scale where the gene has one)."""
    return {gene.name: uniform_value(gene, random) for gene in genes}


def uniform_value(gene: Gene, random: np.random.Generator) -> Scalar:
    """Any value of a gene."""
    if gene.kind == "int" and not gene.log:  # rounding would give the ends half their share
        return int(random.integers(round(gene.low), round(gene.high), endpoint=True))
    return gene.value(random.random())


def finite(scores: Sequence[Sequence[float]]) -> Floats:
    """[n, m] scores; what is NaN or infinite is as bad as the column's worst that is neither."""
    table = np.array(scores, np.float64)
    fine = np.isfinite(table)
    worst = np.where(fine, table, np.inf).min(axis=0, initial=np.inf)
    worst = np.where(np.isfinite(worst), worst, 0.0)
    return np.where(fine, table, worst)


def default_population(genes: int) -> int:
    """Candidates per generation: CMA-ES' default, but no less than 12, because scores are noisy.

    N. Hansen, The CMA evolution strategy: a tutorial (https://arxiv.org/abs/1604.00772), eq. 48.
    """
    return max(12, 4 + math.floor(3 * math.log(genes)))
