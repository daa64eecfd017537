"""Optuna's samplers: the state is the history, and they go by it."""

from __future__ import annotations

import pytest

from sdmerge.evolve.genes import Candidate, Gene, Told
from tests.evolve.engines.searches import cube, opened, place

MIXED = [
    Gene("method", "choice", "a", choices=("a", "b", "c", "d")),
    Gene("steps", "int", 1, low=1, high=12),
    Gene("weight", "float", 0.1),
]


def good(one: Candidate) -> float:
    gaps = abs(int(one["steps"]) - 9) / 12 + abs(float(one["weight"]) - 0.7)
    return (one["method"] == "c") - gaps


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_late_candidates_are_better_than_early_ones(name: str) -> None:
    engine = opened(name, MIXED, 3)
    scores: list[float] = []
    while len(scores) < 192:
        asked = engine.ask()
        scores += [good(one) for one in asked]
        engine.tell([Told(one, (good(one),)) for one in asked])
    assert sum(scores[-48:]) / 48 > sum(scores[:24]) / 24 + 0.3
    assert max(scores) > 0.9


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2"])
def test_what_was_told_decides(name: str) -> None:
    """Two that differ in one score part ways; the first candidate is the start."""
    quick = {"startup": 8} if name != "nsga2" else {}
    engines = [opened(name, cube(3, 0.25), 5, **quick) for _ in range(2)]
    for batch in range(3):
        asked = [engine.ask() for engine in engines]
        if batch == 0:
            assert place(asked[0][0]).tolist() == [0.25] * 3
        for engine, some, sign in zip(engines, asked, (1, -1), strict=True):
            engine.tell([Told(one, (sign * float(place(one).sum()),)) for one in some])
    high, low = (sum(float(place(one).mean()) for one in engine.ask()) for engine in engines)
    assert high > low


def test_optuna_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    engine = opened("tpe", cube(2), 1)
    engine.tell([Told(one, (0.5,)) for one in engine.ask()])
    engine.ask()
    assert capfd.readouterr() == ("", "")
