"""M2N2: the paper's formulas, and that both niches survive where CMA-ES keeps one."""

from __future__ import annotations

import numpy as np
import pytest

from sdmerge.errors import EngineError
from sdmerge.evolve.engine.running import Engine
from sdmerge.evolve.engines.m2n2 import above_worst, attraction, crossed, fitness, pick
from sdmerge.evolve.genes import Candidate, Gene, Told
from tests.evolve.engines.searches import Floats, cube, opened, place

EPSILON = 1e-12


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_fitness_and_attraction_are_the_papers(alpha: float) -> None:
    s = np.random.default_rng(1).random((5, 7))
    z = [sum(s[k][j] for k in range(5)) for j in range(7)]
    c = [max(s[k][j] for k in range(5)) for j in range(7)]
    wanted = [sum(c[j] * s[i][j] / (z[j] ** alpha + EPSILON) for j in range(7)) for i in range(5)]
    assert np.allclose(fitness(s, alpha), wanted, rtol=1e-13)
    drawn = [sum(c[j] / (z[j] + EPSILON) * max(s[i][j] - s[2][j], 0.0) for j in range(7))
             for i in range(5)]  # fmt: skip
    assert np.allclose(attraction(s, 2), drawn, rtol=1e-13)
    assert attraction(s, 2)[2] == 0.0


def test_a_prompt_is_worth_what_its_best_makes_of_it() -> None:
    s = np.array([[0.8, 0.0], [0.8, 0.0], [0.0, 0.8]])
    f = fitness(s, 1.0)
    assert np.allclose(f, [0.4, 0.4, 0.8])  # two share what the third has for itself


def test_scores_are_above_the_worst_of_each_prompt() -> None:
    s = np.array([[0.3, np.nan], [0.1, 0.5], [0.2, 0.9]])
    assert np.allclose(above_worst(s), [[0.2, 0.0], [0.0, 0.0], [0.1, 0.4]])


def test_members_are_picked_in_proportion() -> None:
    rng = np.random.default_rng(2)
    drawn = np.bincount([pick(np.array([1.0, 0.0, 3.0]), rng) for _ in range(4000)], minlength=3)
    assert drawn[1] == 0
    assert abs(drawn[2] / 4000 - 0.75) < 0.03
    assert {pick(np.zeros(3), rng, other_than=1) for _ in range(50)} == {0, 2}


def test_a_child_mixes_one_way_before_the_split_and_the_other_way_behind() -> None:
    genes = [Gene(f"x{at}", "float", 0.0, low=-1.0, high=1.0) for at in range(9)]
    one, other = ({gene.name: value for gene in genes} for value in (-1.0, 1.0))
    splits: set[int] = set()
    for seed in range(200):
        child = place(crossed(genes, one, other, np.random.default_rng(seed)))
        split = int((np.abs(child - child[0]) < 1e-12).sum())
        assert np.allclose(child[:split], child[0], atol=1e-12)
        assert np.allclose(child[split:], -child[0], atol=1e-12)
        splits.add(split)
    assert splits == set(range(1, 10))


def test_choices_come_from_either_parent() -> None:
    gene = Gene("method", "choice", "a", choices=("a", "b", "c"))
    found = [crossed([gene], {"method": "a"}, {"method": "c"}, np.random.default_rng(seed))
             for seed in range(60)]  # fmt: skip
    assert {one["method"] for one in found} == {"a", "c"}


def niches(x: Floats) -> Floats:
    """Six prompts of one kind and five of the other: what is good at one is bad at the other."""
    gaps = np.array([abs(x[0] - 0.1), abs(x[0] - 0.9)]) + np.abs(x[1:] - 0.5).sum() / 4
    one, other = np.exp(-((gaps / 0.25) ** 2))
    return np.array([one] * 6 + [other] * 5)


def evolve(engine: Engine, budget: int) -> list[Candidate]:
    """The candidates of the second half of a search over prompts of both kinds."""
    seen: list[Candidate] = []
    while len(seen) < budget:
        asked = engine.ask()
        rows = [niches(place(one)) for one in asked]
        told = zip(asked, rows, strict=True)
        engine.tell([Told(one, (float(row.mean()),), tuple(row)) for one, row in told])
        seen += asked
    return seen[budget // 2 :]


def shares(candidates: list[Candidate]) -> tuple[float, float]:
    """How many are good at the first kind of prompts, and how many at the second."""
    rows = np.stack([niches(place(one)) for one in candidates])
    return float((rows[:, 0] > 0.5).mean()), float((rows[:, -1] > 0.5).mean())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_niches_survive_where_cma_es_keeps_one(seed: int) -> None:
    genes = cube(3)
    engine = opened("m2n2", genes, seed, archive=24)
    evolve(engine, 300)
    archive = engine.algorithm.members  # pyright: ignore  the archive is what it keeps
    one, other = shares(archive)
    assert one > 0.15
    assert other > 0.15
    assert max(niches(place(member))[0] for member in archive) > 0.8
    assert max(niches(place(member))[-1] for member in archive) > 0.8
    kept = sorted(shares(evolve(opened("cma-es", genes, seed), 300)))
    assert kept[0] < 0.02
    assert kept[1] > 0.8


def test_it_wants_scores_per_prompt_and_as_many_every_time() -> None:
    engine = opened("m2n2", cube(2), archive=3)
    asked = engine.ask()
    with pytest.raises(EngineError, match="score per prompt"):
        engine.tell([Told(one, (0.5,)) for one in asked])
    engine.tell([Told(one, (0.5,), (0.4, 0.6)) for one in asked])
    with pytest.raises(EngineError, match="score per prompt"):
        engine.tell([Told(one, (0.5,), (0.4, 0.6, 0.5)) for one in engine.ask()])


def test_the_worst_of_archive_and_child_goes() -> None:
    engine = opened("m2n2", cube(1), archive=3)
    asked = engine.ask()
    assert asked[0] == {"x000": 0.5}
    rows = [(0.9, 0.1), (0.1, 0.9), (0.2, 0.2)]
    engine.tell([Told(a, (0.5,), row) for a, row in zip(asked, rows, strict=True)])
    (child,) = engine.ask()
    engine.tell([Told(child, (0.5,), (0.5, 0.5))])
    kept = engine.algorithm.members  # pyright: ignore  the archive is what it keeps
    assert kept == [asked[0], asked[1], child]
