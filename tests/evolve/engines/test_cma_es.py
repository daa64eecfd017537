"""CMA-ES: it is cmaes' own, reflected; restarts; and it costs next to nothing."""

from __future__ import annotations

import time

import cmaes
import numpy as np
import pytest

from sdmerge.errors import EngineError
from sdmerge.evolve.engine.cube import finite, reflect, seed_of
from sdmerge.evolve.genes import Gene, Told
from tests.evolve.engines.searches import Floats, cube, opened, place, run

TARGET = 0.7


def hill(x: Floats) -> tuple[float]:
    return (-float(((x - TARGET) ** 2).sum()),)


def mirrored(x: float) -> float:
    """The definition: walk from 0, turning at every wall."""
    whole, part = divmod(abs(x), 1.0)
    return part if whole % 2 == 0 else 1.0 - part


def test_reflection_folds_the_line() -> None:
    line = np.linspace(-3.3, 4.7, 401)
    assert np.allclose(reflect(line), [mirrored(float(x)) for x in line], atol=1e-12)
    inside = np.linspace(0.0, 1.0, 101)
    assert reflect(inside).tolist() == inside.tolist()


def test_it_is_cmaes_with_reflected_samples() -> None:
    """The law itself, written out with cmaes alone."""
    genes = [Gene(f"x{at}", "float", 2.8, low=-1.0, high=3.0) for at in range(5)]
    engine = opened("cma-es", genes, seed=4)
    plain = cmaes.CMA(mean=np.full(5, 3.8 / 4), sigma=0.2, seed=seed_of(4, 0), population_size=12)
    outside = 0
    for _ in range(15):
        samples = [plain.ask() for _ in range(12)]
        outside += sum(int(((x < 0) | (x > 1)).any()) for x in samples)
        places = [np.array([-1 + 4 * mirrored(float(v)) for v in x]) for x in samples]
        told = [Told(one, hill(place(one))) for one in engine.ask()]
        assert np.allclose([place(one.candidate) for one in told], places, atol=1e-9)
        engine.tell(told)
        plain.tell([(x, -hill(y)[0]) for x, y in zip(samples, places, strict=True)])
        centre = engine.centre()
        assert centre is not None
        assert np.allclose(place(centre), -1 + 4 * reflect(plain.mean), atol=1e-9)
    assert outside > 10


def test_the_summit_may_lie_on_a_wall() -> None:
    told = run(opened("cma-es", cube(8)), lambda x: (-float(x.sum()),), 600)
    assert max(one.score for one in told) > -0.02
    assert sum(value == 0.0 for one in told for value in one.candidate.values()) == 0


@pytest.mark.parametrize(
    ("count", "setting", "kind", "population"),
    [(1, "auto", "CMA", 12), (1, "diagonal", "CMA", 12), (60, "auto", "CMA", 16),
     (61, "auto", "SepCMA", 16), (61, "full", "CMA", 16), (8, "diagonal", "SepCMA", 12)],
)  # fmt: skip
def test_the_covariance_is_full_for_few_genes(
    count: int, setting: str, kind: str, population: int
) -> None:
    engine = opened("cma-es", cube(count), covariance=setting)
    assert len(engine.ask()) == population
    assert f'"~": "{kind}"' in engine.state().decode()


def test_learning_rates_need_a_full_covariance() -> None:
    with pytest.raises(EngineError, match="covariance: full"):
        opened("cma-es", cube(80), lr_adapt=True)


def test_whole_numbers_are_rounded() -> None:
    genes = [Gene("steps", "int", 3, low=1, high=9), *cube(2)]
    told = run(opened("cma-es", genes), lambda x: (-float((x[0] - 7) ** 2),), 150)
    best = max(told, key=lambda one: one.score)
    assert best.candidate["steps"] == 7
    assert type(best.candidate["steps"]) is int


def test_restarts_double_the_population_elsewhere() -> None:
    genes = cube(2)
    engine = opened("cma-es", genes, restarts=True, population=6)
    sizes: list[int] = []
    centres: list[Floats] = []
    for _ in range(150):
        asked = engine.ask()
        sizes.append(len(asked))
        engine.tell([Told(one, hill(place(one))) for one in asked])
        centre = engine.centre()
        assert centre is not None
        centres.append(place(centre))
    assert {6, 12, 24} <= {*sizes}
    assert sizes == sorted(sizes)
    first = sizes.index(12)
    assert np.abs(centres[first - 2] - TARGET).max() < 0.01, "it restarts before it is done"
    assert np.abs(centres[first - 1] - TARGET).max() > 0.05, "it restarts where it was"


def test_what_is_not_finite_is_worst() -> None:
    nan, inf = float("nan"), float("inf")
    found = finite([(1.0, nan), (nan, nan), (-inf, nan), (inf, nan), (3.0, nan)])
    assert found[:, 0].tolist() == [1.0, 1.0, 1.0, 1.0, 3.0]
    assert found[:, 1].tolist() == [0.0] * 5


def test_a_candidate_of_a_hundred_genes_takes_less_than_five_milliseconds() -> None:
    engine = opened("cma-es", cube(100))
    run(engine, hill, 32)
    spent: list[float] = []
    for _ in range(8):
        begin = time.perf_counter()
        asked = engine.ask()
        engine.tell([Told(one, (0.5,)) for one in asked])
        engine.state()
        spent.append((time.perf_counter() - begin) / len(asked))
    assert min(spent) < 5e-3
