"""Searches to run engines on: genes in the unit cube, and what becomes of candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sdmerge.evolve.engine.running import Engine
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.genes import Candidate, Gene, Told

Floats = NDArray[np.float64]
Judge = Callable[[Floats], Sequence[float]]


def cube(count: int, init: float = 0.5) -> list[Gene]:
    return [Gene(f"x{at:03d}", "float", init) for at in range(count)]


def opened(
    name: str, genes: Sequence[Gene], seed: int = 0, budget: int = 100, **params: object
) -> Engine:
    return ENGINES[name].open(genes, {g.name: g.init for g in genes}, seed, budget, **params)


def place(candidate: Candidate) -> Floats:
    return np.array([float(value) for value in candidate.values()])


def run(engine: Engine, judge: Judge, budget: int) -> list[Told]:
    """The first `budget` candidates; `judge` gives a place's scores."""
    told: list[Told] = []
    while len(told) < budget:
        batch = [Told(one, tuple(judge(place(one)))) for one in engine.ask()]
        engine.tell(batch)
        told += batch
    return told[:budget]
