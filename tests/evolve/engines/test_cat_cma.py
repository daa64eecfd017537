"""CatCMA: numbers, whole numbers and choices are found together."""

from __future__ import annotations

import pytest

from sdmerge.evolve.engine.mixed import Mixed
from sdmerge.evolve.genes import Candidate, Gene, Told
from tests.evolve.engines.searches import opened

GENES = [
    Gene("method", "choice", "linear", choices=("linear", "ties", "slerp", "dare")),
    Gene("weight", "float", 0.2, low=-0.3, high=1.5),
    Gene("steps", "int", 2, low=1, high=9),
    Gene("normalize", "choice", True, choices=(False, True)),
    Gene("rate", "float", 1e-4, low=1e-5, high=1e-1, log=True),
    Gene("half", "int", 0, low=0, high=1),
]
BEST = {"method": "slerp", "weight": 0.9, "steps": 6, "normalize": False, "rate": 1e-2, "half": 1}


def score(one: Candidate) -> float:
    misses = [one[name] != BEST[name] for name in ("method", "normalize", "half")]
    gaps = [GENES[at].position(one[GENES[at].name]) - GENES[at].position(BEST[GENES[at].name])
            for at in (1, 2, 4)]  # fmt: skip
    return -0.3 * sum(misses) - sum(gap**2 for gap in gaps)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_mixed_optimum_is_found(seed: int) -> None:
    engine = opened("cat-cma", GENES, seed)
    for _ in range(45):
        engine.tell([Told(one, (score(one),)) for one in engine.ask()])
    centre = engine.centre()
    assert centre is not None
    assert {name: centre[name] for name in ("method", "steps", "normalize", "half")} == {
        name: BEST[name] for name in ("method", "steps", "normalize", "half")
    }
    assert score(centre) > -2e-3


def test_it_begins_around_the_start() -> None:
    asked = [one for seed in range(20) for one in opened("cat-cma", GENES, seed).ask()]
    share = sum(one["method"] == "linear" for one in asked) / len(asked)
    assert abs(share - (0.5 + 0.5 / 4)) < 0.1  # half of the time its own, else any
    mean = sum(float(one["weight"]) for one in asked) / len(asked)
    assert 0.15 < mean < 0.35


def test_a_whole_number_of_two_values_is_a_choice() -> None:
    mixed = Mixed(GENES)
    assert [gene.name for gene in mixed.ints] == ["steps"]
    assert [gene.name for gene in mixed.chosen] == ["method", "normalize", "half"]
