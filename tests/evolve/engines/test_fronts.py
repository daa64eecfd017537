"""Engines of several scores: fronts that are known, against random search at the same budget."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from sdmerge.errors import EngineError
from sdmerge.evolve.genes import Told
from sdmerge.testing.engine_laws import hypervolume
from tests.evolve.engines.searches import Floats, cube, opened, run

WORST = (-1.1, -6.0)
GENES = cube(6)


def zdt1(x: Floats) -> tuple[float, float]:
    """Zitzler, Deb and Thiele's first, to maximise; on the front, g = 1 and f₂ = 1 - √f₁."""
    g = 1 + 9 * float(x[1:].mean())
    return -float(x[0]), -g * (1 - float(np.sqrt(x[0] / g)))


def volume(told: list[Told]) -> float:
    return hypervolume([(one.scores[0], one.scores[1]) for one in told], WORST)


def test_the_volume_of_points_is_that_of_their_squares() -> None:
    rng = np.random.default_rng(0)
    points = [(float(a), float(b)) for a, b in -rng.random((12, 2))]
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 0, 401)] * 2), -1).reshape(-1, 2)
    covered = np.any([(grid <= point).all(1) for point in points], axis=0).mean()
    assert abs(hypervolume(points, (-1.0, -1.0)) - covered) < 0.01
    assert hypervolume([(-2.0, 0.0)], (-1.0, -1.0)) == 0.0


@pytest.mark.parametrize("name", ["nsga2", "nsga3", "como"])
def test_a_front_is_found_better_than_at_random(name: str) -> None:
    budget = 480
    ours = [volume(run(opened(name, GENES, seed), zdt1, budget)) for seed in (1, 2, 3)]
    even = [volume(run(opened("random", GENES, seed), zdt1, budget)) for seed in (1, 2, 3)]
    assert statistics.median(ours) > max(even)
    f1 = np.linspace(0, 1, 2001)
    front = hypervolume([(-a, -(1 - np.sqrt(a))) for a in f1.tolist()], WORST)
    assert statistics.median(ours) > 0.85 * front


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_others_take_two_scores_too(name: str) -> None:
    told = run(opened(name, cube(2), startup=8, batch=2), zdt1, 10)
    assert len({one.scores for one in told}) == 10


def test_como_wants_two_scores() -> None:
    engine = opened("como", GENES)
    with pytest.raises(EngineError, match="takes 2 scores"):
        engine.tell([Told(one, (1.0,)) for one in engine.ask()])
