"""Preferential search: a voter who errs is led to what he likes."""

from __future__ import annotations

import numpy as np
import pytest

from sdmerge.evolve.engines.preferential import believe
from sdmerge.evolve.genes import Gene, Told
from sdmerge.votes.strengths import Game
from tests.evolve.engines.searches import Floats, cube, opened, place

BEST = np.array([0.25, 0.8, 0.6])


def liking(x: Floats) -> float:
    """In log-odds: a whole side of the cube off, and it is chosen 1 time in 150."""
    return -5.0 * float(((x - BEST) ** 2).sum()) ** 0.5


def votes(places: list[Floats], rng: np.random.Generator) -> list[float]:
    """How many duels each wins if every two are shown once and the voter errs."""
    won = np.zeros(len(places))
    for i in range(len(places)):
        for j in range(i):
            sure = 1 / (1 + np.exp(liking(places[j]) - liking(places[i])))
            won[i if rng.random() < sure else j] += 1
    return won.tolist()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_noisy_voter_is_led_to_the_optimum(seed: int) -> None:
    genes, rng = cube(3), np.random.default_rng(seed)
    engine = opened("preferential", genes, seed)
    for _ in range(30):
        asked = engine.ask()
        won = votes([place(one) for one in asked], rng)
        engine.tell([Told(one, (score,)) for one, score in zip(asked, won, strict=True)])
    centre = engine.centre()
    assert centre is not None
    reached = liking(place(centre))
    better = np.mean([liking(x) > reached for x in np.random.default_rng(0).random((4000, 3))])
    assert better < 0.05


def test_scores_are_only_compared_within_a_batch() -> None:
    """Any scale and offset per batch leaves the same engine."""
    engines = [opened("preferential", cube(2), 3) for _ in range(2)]
    for batch in range(5):
        asked = [engine.ask() for engine in engines]
        assert asked[0] == asked[1]
        scores = [liking(np.append(place(one), 0.6)) for one in asked[0]]
        engines[0].tell([Told(c, (s,)) for c, s in zip(asked[0], scores, strict=True)])
        engines[1].tell([Told(c, (7 * s - batch,)) for c, s in zip(asked[1], scores, strict=True)])


def test_the_favourite_is_asked_again() -> None:
    engine = opened("preferential", cube(2), 3)
    asked = engine.ask()
    assert asked[0] == {"x000": 0.5, "x001": 0.5}
    engine.tell([Told(one, (float(at == 2),)) for at, one in enumerate(asked)])
    assert engine.ask()[0] in asked[1:]
    assert len({tuple(one.values()) for one in engine.ask()}) == 4


def test_the_belief_is_the_mode_of_its_posterior() -> None:
    """Its gradient, written out, vanishes; and no other strengths are likelier."""
    rng = np.random.default_rng(5)
    places = rng.random((6, 2))
    games = [Game(int(i), int(j), float(rng.integers(2))) for i, j in rng.integers(6, size=(20, 2))
             if i != j]  # fmt: skip
    found = believe(places, games, 0.3)
    theta = found.strengths.theta

    def log_posterior(f: Floats) -> float:
        fit = sum(g.share * (f[g.first] - f[g.second]) - np.log1p(np.exp(f[g.first] - f[g.second]))
                  for g in games)  # fmt: skip
        return fit - 0.5 * f @ np.linalg.inv(found.prior) @ f

    best = log_posterior(theta)
    steps = rng.normal(size=(200, 6)) * 1e-3
    assert all(log_posterior(theta + step) < best for step in steps)
    rises = [log_posterior(theta + e) - log_posterior(theta - e) for e in np.eye(6) * 1e-5]
    assert np.abs(rises).max() / 2e-5 < 1e-4


def test_choices_are_preferred_too() -> None:
    genes = [Gene("method", "choice", "a", choices=("a", "b", "c")), *cube(1)]
    engine = opened("preferential", genes, 2)
    for _ in range(8):
        asked = engine.ask()
        engine.tell([Told(one, (float(one["method"] == "b"),)) for one in asked])
    centre = engine.centre()
    assert centre is not None
    assert centre["method"] == "b"
