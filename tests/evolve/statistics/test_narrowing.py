"""Diversity lost is told, and only then."""

from __future__ import annotations

import numpy as np

from sdmerge.evolve.statistics import narrowing

DICE = np.random.default_rng(0)
PARENTS = {"wide": DICE.normal(0.4, 0.03, 20), "narrow": DICE.normal(0.2, 0.03, 20)}


def test_a_winner_between_its_parents_is_no_news() -> None:
    assert narrowing(DICE.normal(0.3, 0.03, 20), PARENTS) is None
    assert narrowing(DICE.normal(0.2, 0.03, 20), PARENTS) is None
    assert narrowing(DICE.normal(0.0, 0.03, 20), {}) is None


def test_one_picture_whatever_the_seed() -> None:
    found = narrowing(DICE.normal(0.05, 0.02, 20), PARENTS)
    assert found is not None
    assert found.parent == "narrow"
    assert found.gap.low < -0.15 < found.gap.high < 0
    assert "more alike than those of any parent: -0.1" in str(found)


def test_false_alarms_are_rare() -> None:
    found = [narrowing(DICE.normal(0.2, 0.03, 20), {"narrow": DICE.normal(0.2, 0.03, 20)}, seed=run)
             for run in range(100)]  # fmt: skip
    assert sum(one is not None for one in found) <= 7
