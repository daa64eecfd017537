"""check_engine: what every engine must hold to, whoever wrote it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sdmerge.errors import EngineError
from sdmerge.evolve.engine.running import Engine
from sdmerge.evolve.engine.spec import Engines, EngineSpec
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.genes import Candidate, Gene, Told, positions

GENES: Mapping[str, Gene] = {
    "float": Gene("weight", "float", 0.5, low=-0.3, high=1.5),
    "log": Gene("rate", "float", 1e-3, low=1e-5, high=1e-1, log=True),
    "int": Gene("steps", "int", 4, low=2, high=8),
    "choice": Gene("method", "choice", "ties", choices=("linear", "ties", "slerp")),
    "switch": Gene("normalize", "choice", True, choices=(False, True)),
}
_TARGET = 0.62
_BUDGET = 96
_SEEDS = (1, 2, 3)


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """An engine on trial, with parameters of its own."""

    spec: EngineSpec
    params: Mapping[str, object]
    budget: int

    @property
    def genes(self) -> list[Gene]:
        """One gene of every kind that it takes."""
        return [gene for gene in GENES.values() if gene.kind in self.spec.kinds]

    @property
    def scores(self) -> int:
        """How many scores it is given: one, if it can use that."""
        return self.spec.objectives[0]

    def open(self, genes: Sequence[Gene], seed: int = 0) -> Engine:
        """A search over these genes, from where they say."""
        start = {gene.name: gene.init for gene in genes}
        return self.spec.open(genes, start, seed, self.budget, **self.params)

    def told(self, genes: Sequence[Gene], candidate: Candidate) -> Told:
        """A smooth hill in the cube, its terms as prompts; a second score has another summit."""
        place = np.array(positions(genes, candidate))
        hills = [-((place - summit) ** 2) for summit in (_TARGET, 1.0 - _TARGET)[: self.scores]]
        scores = tuple(float(hill.mean()) for hill in hills)
        return Told(candidate, scores, tuple(float(term) for term in hills[0]))

    def step(self, engine: Engine, genes: Sequence[Gene]) -> list[Told]:
        """Ask, and tell what came of it."""
        told = [self.told(genes, candidate) for candidate in engine.ask()]
        engine.tell(told)
        return told


def check_engine(
    name: str, *, budget: int = _BUDGET, learns: bool = True, engines: Engines = ENGINES,
    **params: object,
) -> None:  # fmt: skip
    """Hold an engine to the laws; an AssertionError says which one it breaks.

    `budget` is what it gets to beat random search by, unless it does not learn from scores.
    """
    trial = Trial(engines[name], params, budget)
    laws = [*LAWS, it_beats_random_search] if learns else LAWS
    for law in laws:
        try:
            law(trial)
        except AssertionError as error:
            raise AssertionError(f"{name} breaks {law.__name__}: {error}") from None
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise AssertionError(f"{name} breaks {law.__name__}: {what}") from error


def it_says_what_it_is(trial: Trial) -> None:
    """A title, a summary, a text per parameter, and kinds and numbers that make sense."""
    spec = trial.spec
    assert spec.title, "it has no title"
    assert spec.summary, "it has no docstring"
    assert not spec.paper or spec.paper.startswith("https://"), "its paper is no address"
    assert spec.kinds, "it takes no genes"
    assert 1 <= spec.objectives[0] <= spec.objectives[1], "its numbers of scores are in no order"


def the_same_seed_asks_the_same(trial: Trial) -> None:
    """And another seed something else."""
    one, same, other = (trial.open(trial.genes, seed) for seed in (7, 7, 8))
    parted = False
    for _ in range(4):
        told = trial.step(one, trial.genes)
        assert trial.step(same, trial.genes) == told, "the same seed asks something else"
        parted = parted or trial.step(other, trial.genes) != told
    assert parted, "another seed asks the same"


def candidates_are_whole_and_within_their_ranges(trial: Trial) -> None:
    """Every gene has a value, of its type, that the gene allows; a search begins at its start."""
    engine = trial.open(trial.genes, 3)
    for _ in range(5):
        asked = engine.ask()
        assert asked, "it asks for nothing"
        for candidate in asked:
            _check_candidate(trial.genes, candidate)
        engine.tell([trial.told(trial.genes, candidate) for candidate in asked])
        centre = engine.centre()
        if centre is not None:
            _check_candidate(trial.genes, centre)


def a_batch_stays_until_it_is_told(trial: Trial) -> None:
    """Asking twice changes nothing; telling something else is an error and changes nothing."""
    engine = trial.open(trial.genes, 4)
    told = [trial.told(trial.genes, one) for one in engine.ask()]
    assert engine.ask() == [dict(one.candidate) for one in told], "asked twice, it asks otherwise"
    _refuses(lambda: engine.tell([*told, told[0]]), "one candidate too many")
    _refuses(lambda: engine.tell([]), "nothing")
    extra = (0.0,) * (trial.spec.objectives[1] + 1)
    many = [dataclasses.replace(one, scores=extra) for one in told]
    _refuses(lambda: engine.tell(many), "more scores than it takes")
    engine.tell(told)
    _refuses(lambda: engine.tell(told), "the same again")


def it_refuses_genes_that_it_does_not_take(trial: Trial) -> None:
    """In words; and a start outside of the ranges, and no genes."""
    for gene in GENES.values():
        if gene.kind not in trial.spec.kinds:
            _refuses(lambda gene=gene: trial.open([gene]), f"a {gene.kind} gene")
    _refuses(lambda: trial.open([]), "no genes")
    outside: dict[str, Any] = {"float": 9.0, "int": 99, "choice": "sleep"}
    for gene in trial.genes:
        moved = dataclasses.replace(gene, init=outside[gene.kind])
        _refuses(lambda moved=moved: trial.open([moved]), "a start out of range")


def restored_it_goes_on_alike(trial: Trial) -> None:
    """From any moment: fresh, with a batch asked, with it told, many generations later."""
    genes = trial.genes
    engine = trial.open(genes, 5)
    for moment in range(8):
        if moment % 2:
            engine.ask()
        state = engine.state()
        again = trial.spec.restore(state)
        assert again.state() == state, f"at moment {moment} the state changes by being restored"
        assert again.centre() == engine.centre(), f"at moment {moment} the centre moves"
        for _ in range(2):
            assert trial.step(again, genes) == trial.step(engine, genes), f"moment {moment} parts"


def scores_may_be_broken(trial: Trial) -> None:
    """NaN, infinite or all equal: it goes on, within its ranges, and can be kept."""
    engine = trial.open(trial.genes, 6)
    for broken in (math.nan, -math.inf, math.inf, None, 0.25, 0.25, 0.25, None):
        told = [trial.told(trial.genes, candidate) for candidate in engine.ask()]
        if broken is not None:
            some = told if broken == 0.25 else told[: 1 + len(told) // 2]
            ruined = [_ruined(one, broken) for one in some]
            told = [*ruined, *told[len(ruined) :]]
        engine.tell(told)
        engine = trial.spec.restore(engine.state())
    for candidate in engine.ask():
        _check_candidate(trial.genes, candidate)


def one_gene_is_enough(trial: Trial) -> None:
    """One gene of any kind that it takes."""
    for gene in trial.genes:
        engine = trial.open([gene], 1)
        for _ in range(3):
            for one in trial.step(engine, [gene]):
                _check_candidate([gene], one.candidate)


def a_hundred_genes_are_not_too_many(trial: Trial) -> None:
    """Of all kinds that it takes."""
    kinds = trial.genes
    genes = [
        dataclasses.replace(kinds[at % len(kinds)], name=f"gene {at}") for at in range(100)
    ]  # fmt: skip
    engine = trial.open(genes, 1)
    for _ in range(2):
        for one in trial.step(engine, genes):
            _check_candidate(genes, one.candidate)


def it_beats_random_search(trial: Trial) -> None:
    """At the same budget, in the median of three seeds, on a smooth hill; fronts by volume."""
    genes = [dataclasses.replace(GENES["float"], name=f"gene {at}", init=0.0) for at in range(4)]
    found = [_reached(trial, trial.spec, trial.params, genes, seed) for seed in _SEEDS]
    even = [_reached(trial, ENGINES["random"], {}, genes, seed) for seed in _SEEDS]
    ours, theirs = float(np.median(found)), float(np.median(even))
    assert ours > theirs, f"it reaches {ours:.5f}, and random search {theirs:.5f}"


LAWS: Sequence[Callable[[Trial], None]] = (
    it_says_what_it_is,
    the_same_seed_asks_the_same,
    candidates_are_whole_and_within_their_ranges,
    a_batch_stays_until_it_is_told,
    it_refuses_genes_that_it_does_not_take,
    restored_it_goes_on_alike,
    scores_may_be_broken,
    one_gene_is_enough,
    a_hundred_genes_are_not_too_many,
)
"""In the order they are checked: later ones take earlier ones for granted."""


def hypervolume(points: Sequence[tuple[float, float]], worst: tuple[float, float]) -> float:
    """The area between points of two scores and `worst`, counted once where they overlap."""
    inside = [one for one in points if one[0] > worst[0] and one[1] > worst[1]]
    area, height = 0.0, worst[1]
    for first, second in sorted(inside, reverse=True):
        if second > height:
            area += (first - worst[0]) * (second - height)
            height = second
    return area


def _reached(
    trial: Trial, spec: EngineSpec, params: Mapping[str, object], genes: Sequence[Gene], seed: int
) -> float:
    """The best score of the budget's candidates, or the volume of their front."""
    start = {gene.name: gene.init for gene in genes}
    engine = spec.open(genes, start, seed, trial.budget, **params)
    told: list[Told] = []
    while len(told) < trial.budget:
        told += trial.step(engine, genes)
    scores = [one.scores for one in told[: trial.budget]]
    if trial.scores == 1:
        return max(first for (first,) in scores)
    return hypervolume([(first, second) for first, second in scores], (-0.2, -0.2))


def _ruined(one: Told, by: float) -> Told:
    return Told(one.candidate, (by,) * len(one.scores), (by,) * len(one.prompts))


def _check_candidate(genes: Sequence[Gene], candidate: Candidate) -> None:
    assert list(candidate) == [gene.name for gene in genes], f"genes are missing in {candidate}"
    for gene in genes:
        value = candidate[gene.name]
        if gene.kind == "choice":
            allowed = any(value is choice or value == choice for choice in gene.choices)
        else:
            typed = type(value) is (int if gene.kind == "int" else float)
            allowed = typed and gene.low <= float(value) <= gene.high
        assert allowed, f"{gene.name} = {value!r}"


def _refuses(action: Callable[[], object], what: str) -> None:
    assert _hint(action), f"it takes {what}, or refuses it without saying what to do"


def _hint(action: Callable[[], object]) -> str:
    """What the error advises; empty if there is none."""
    try:
        action()
    except EngineError as error:
        return error.hint
    return ""
