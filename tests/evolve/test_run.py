"""The loop on a formula: what is evaluated, what is told, and when it ends."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolve.analytic import (
    FIT,
    JUDGE,
    Formula,
    Weights,
    fitness,
    options,
    recipe_of,
    search,
    told_of,
)
from sdmerge.errors import Cancelled, SdmergeError
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.genes import Told
from sdmerge.evolve.ledger import BASELINES, Key, Ledger
from sdmerge.evolve.run import Baseline, Budget, Progress, best, standings
from sdmerge.evolve.run.exams import look_exam, search_exam, validation_exam
from sdmerge.evolve.workers import Local

OWN = Baseline("mine", "added", recipe_of((0.8, 0.2, 0.6)))
PARENTS = tuple(
    Baseline(f"m{n}", "parent", recipe_of([1.0 if n == k else 0.0 for k in range(3)]))
    for n in range(3)
)


class Heard:
    """An engine that another one is, and what it heard."""

    def __init__(self, name: str) -> None:
        self.heard: list[list[Told]] = []
        self._of = ENGINES[name]

    def open(self, *given: Any, **params: Any) -> Any:
        return self._listening(self._of.open(*given, **params))

    def restore(self, state: bytes) -> Any:
        return self._listening(self._of.restore(state))

    def _listening(self, engine: Any) -> Any:
        tell = engine.tell
        log = self.heard

        class Listening:
            ask, centre, state = engine.ask, engine.centre, engine.state

            def tell(self, told: Any) -> None:
                log.append(list(told))
                tell(told)

        return Listening()


def heard(folder: Path, monkeypatch: pytest.MonkeyPatch, chosen: Any, **more: Any) -> Heard:
    """What the engine heard in a search."""
    engine = Heard(chosen.engine)
    monkeypatch.setattr("sdmerge.evolve.engines.ENGINES", {chosen.engine: engine})
    search(folder, chosen, Budget(trials=24), **more)
    return engine


def test_the_search_finds_the_best_and_validates_it(tmp_path: Path) -> None:
    chosen = options()
    ended = search(tmp_path / "s", chosen, Budget(trials=144), baselines=[*PARENTS, OWN])
    assert ended.why == "trials"
    assert ended.trials == 144
    ledger = Ledger(tmp_path / "s")
    found = best(ledger, chosen.objectives)
    assert found is not None
    weights = [float(one) for one in found[0].values()]
    assert fitness(weights) > -0.01 > max(fitness(w) for w in ((1, 0, 0), (0, 0, 1)))
    parents = [one for one in standings(ledger, chosen.objectives) if one.generation == BASELINES]
    assert [one.name for one in parents] == ["m0", "m1", "m2"]
    assert not [note for one in ledger.generations.values() for note in one.notes]


def test_baselines_come_first_and_are_never_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    engine = heard(tmp_path / "s", monkeypatch, options(), baselines=[OWN], told=told.append)
    assert [one.what for one in told[:2]] == ["baselines", "baselines"]
    asked = [one.candidate for batch in engine.heard for one in batch]
    trials = told_of(tmp_path / "s")
    assert [t[4]["generation"] for t in trials[:2]] == [-1, -1]
    assert [t[4].get("name") for t in trials[:2]] == ["mine", "start"]
    assert [t[1] for t in trials[2:]] == asked
    assert [t[2][0] for t in trials[2:]] == [one.score for batch in engine.heard for one in batch]


def test_a_generation_shares_its_noise_and_the_next_has_another() -> None:
    chosen = options(images=2)
    exams = [search_exam(chosen, n) for n in range(-1, 4)]
    exams += [look_exam(chosen, 0), validation_exam(chosen)]
    seeds = [seed for exam in exams for own in exam.seeds for seed in own]
    assert len(set(seeds)) == len(seeds)
    assert search_exam(chosen, 2) == search_exam(options(images=2), 2)
    assert search_exam(chosen, 2) != search_exam(options(images=2, seed=8), 2)


@pytest.mark.parametrize(("every", "groups"), [(1, 7), (3, 3), (0, 1)])
def test_generations_may_share_their_noise(every: int, groups: int) -> None:
    chosen = options(redraw_every=every)
    exams = [search_exam(chosen, n) for n in range(7)]
    assert len({exam.id for exam in exams}) == groups
    assert exams == sorted(exams, key=lambda exam: [one.id for one in exams].index(exam.id))
    assert search_exam(chosen, -1).id not in {exam.id for exam in exams}


def test_everybody_of_a_generation_and_the_incumbent_sit_one_exam(tmp_path: Path) -> None:
    search(tmp_path / "s", options(), Budget(trials=48))
    rows = Ledger(tmp_path / "s").rows
    exams: dict[int, set[str]] = {}
    for key, row in rows.items():
        if key.role in ("candidate", "incumbent"):
            exams.setdefault(key.generation, set()).add(row.exam)
    assert all(len(one) == 1 for one in exams.values())
    assert len({next(iter(one)) for one in exams.values()}) == len(exams) > 2
    roles = Counter(key.role for key in rows)
    assert roles["incumbent"] == len(exams) - 1
    assert roles["candidate"] == 48


def test_a_sample_of_prompts_changes_with_the_generation(tmp_path: Path) -> None:
    chosen = options(prompts_per_generation=4)
    drawn = [search_exam(chosen, n).lines for n in range(6)]
    assert {len(lines) for lines in drawn} == {4}
    assert len(set(drawn)) > 3
    order = [chosen.search.index(line) for line in drawn[0]]
    assert order == sorted(order)


def test_halving_draws_a_share_for_all_and_the_rest_for_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = heard(tmp_path / "s", monkeypatch, options(halving=3))
    ledger = Ledger(tmp_path / "s")
    batch = engine.heard[0]
    first = [ledger.rows[Key("candidate", 0, slot)].evaluation for slot in range(len(batch))]
    means = [one.mean("fit") for one in first if one is not None]
    order = sorted(range(len(batch)), key=lambda slot: -means[slot])
    half = set(order[: -(-len(batch) // 2)])
    went_on = {key.slot for key in ledger.rows if key[:2] == ("candidate", 0) and key.part == 1}
    assert went_on == half
    kept = [batch[slot].score for slot in half]
    dropped = [batch[slot].score for slot in order[len(half) :]]
    assert min(kept) > max(dropped)
    assert dropped == sorted(dropped, reverse=True)
    counts = {one.mean("fit") and len(one.scores["fit"]) for one in first if one is not None}
    assert counts == {3}


def test_nobody_below_the_best_parent_ranks_above_those_who_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = options(floors=(JUDGE,))
    parent = Baseline("p", "parent", recipe_of((0.9, 0.2, -0.4)))
    engine = heard(tmp_path / "s", monkeypatch, chosen, baselines=[parent])
    ledger = Ledger(tmp_path / "s")
    bound = ledger.rows[Key("bound", 0)].evaluation
    assert bound is not None
    batch = engine.heard[0]
    judge = {
        slot: row.evaluation.mean("judge") - bound.mean("judge")
        for slot in range(len(batch))
        if (row := ledger.rows[Key("candidate", 0, slot)]).evaluation is not None
    }
    fine = [batch[slot].score for slot, gap in judge.items() if gap >= 0]
    poor = sorted((gap, batch[slot].score) for slot, gap in judge.items() if gap < 0)
    assert fine
    assert poor
    assert min(fine) > max(score for _, score in poor)
    assert [score for _, score in poor] == sorted(score for _, score in poor)


@pytest.mark.parametrize("mischief", ["raise", "nan"])
def test_what_fails_is_told_the_worst_of_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mischief: str
) -> None:
    chosen = options("random", validation=())
    engine = heard(tmp_path / "s", monkeypatch, chosen, executor=Local(Formula(mischief=mischief)))
    told = [one for batch in engine.heard for one in batch]
    states = [(t[1], t[3].name) for t in told_of(tmp_path / "s")[1:]]
    first = "models[m0].parameters.weight"
    failed = [one for one in told if float(one.candidate[first]) > 1.5]
    assert failed
    assert {name for params, name in states if params[first] > 1.5} == {"FAIL"}
    assert {name for params, name in states if params[first] <= 1.5} == {"COMPLETE"}
    for one in failed:
        batch = next(batch for batch in engine.heard if one in batch)
        alive = [other.score for other in batch if other not in failed]
        assert not alive or one.score == min(alive)


def test_three_failures_in_a_row_stop_the_search_and_are_forgotten(tmp_path: Path) -> None:
    class Broken(Formula):
        def __call__(self, *given: Any, **more: Any) -> Any:
            raise SdmergeError("the disk is gone")

    chosen = options()
    search(tmp_path / "s", chosen, Budget(trials=0))
    before = dict(Ledger(tmp_path / "s").rows)
    with pytest.raises(SdmergeError, match="the disk is gone"):
        search(tmp_path / "s", chosen, Budget(trials=24), Local(Broken()))
    assert dict(Ledger(tmp_path / "s").rows) == before
    assert search(tmp_path / "s", chosen, Budget(trials=24)).trials == 24


def test_the_budget_is_kept_and_can_be_raised(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    search(once, options(), Budget(trials=31))
    assert search(twice, options(), Budget(trials=17)).trials == 17
    assert search(twice, options(), Budget(trials=17)).evaluations == 0
    log = tmp_path / "log"
    search(twice, options(), Budget(trials=31), Local(Formula(log)))
    mine, theirs = (
        {k: r for k, r in Ledger(f).rows.items() if k.role == "candidate"} for f in (once, twice)
    )
    assert mine == theirs


def test_no_progress_ends_the_search(tmp_path: Path) -> None:
    chosen = options("random", validation=())
    ended = search(tmp_path / "s", chosen, Budget(trials=3000, patience=3))
    assert ended.why == "patience"
    closed = Ledger(tmp_path / "s").generations
    assert [closed[n].won for n in sorted(closed)][-4:] == [True, False, False, False]


def test_the_hours_are_kept(tmp_path: Path) -> None:
    ended = search(tmp_path / "s", options(), Budget(hours=0.0))
    assert (ended.why, ended.evaluations) == ("hours", 0)


def test_cancelling_leaves_a_study_that_goes_on(tmp_path: Path) -> None:
    stop = threading.Event()
    seen = 0

    def count(progress: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen == 20:
            stop.set()

    chosen = options()
    with pytest.raises(Cancelled):
        search(tmp_path / "cut", chosen, Budget(trials=48), told=count, cancel=stop)
    assert len(Ledger(tmp_path / "cut").rows) == 20
    search(tmp_path / "cut", chosen, Budget(trials=48))
    search(tmp_path / "whole", chosen, Budget(trials=48))
    assert told_of(tmp_path / "cut") == told_of(tmp_path / "whole")
    assert Ledger(tmp_path / "cut").generations == Ledger(tmp_path / "whole").generations


def test_progress_counts_and_knows_the_time_left(tmp_path: Path) -> None:
    told: list[Progress] = []
    search(tmp_path / "s", options(), Budget(trials=24), told=told.append)
    trials = [one.trials for one in told if one.what.startswith("generation")]
    assert trials == sorted(trials)
    assert (trials[-1], told[-1].done, told[-1].of) == (24, 24, 24)
    assert all(one.seconds_left is not None for one in told if one.trials)
    assert [(one.done, one.of) for one in told if one.what == "baselines"] == [(1, 1)]


def test_overfitting_raises_an_alarm_that_the_ledger_keeps(tmp_path: Path) -> None:
    told: list[Progress] = []
    search(
        tmp_path / "s", options(), Budget(trials=120), Local(Formula(judge=-1.0)),
        told=told.append, baselines=PARENTS,
    )  # fmt: skip
    notes = [note for one in Ledger(tmp_path / "s").generations.values() for note in one.notes]
    assert notes
    assert "over-fitting" in notes[0]
    assert notes == [one.alarm for one in told if one.alarm]


@pytest.mark.filterwarnings("ignore:SBXCrossover is experimental")
def test_an_engine_of_several_objectives_hears_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = options("nsga2", objectives=(FIT, JUDGE))
    engine = heard(tmp_path / "s", monkeypatch, chosen)
    assert {len(one.scores) for batch in engine.heard for one in batch} == {2}
    assert {len(t[2]) for t in told_of(tmp_path / "s")} == {2}


def test_m2n2_hears_a_score_per_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = heard(tmp_path / "s", monkeypatch, options("m2n2"))
    told = [one for batch in engine.heard for one in batch]
    assert {len(one.prompts) for one in told} == {9}
    assert all(sum(one.prompts) / 9 == pytest.approx(one.score) for one in told)


def test_the_search_starts_at_the_best_candidate_among_the_baselines(tmp_path: Path) -> None:
    space = Weights()
    near = {gene.name: w for gene, w in zip(space.genes, (0.9, 0.2, 0.6), strict=True)}
    start = Baseline("near", "added", space.fill(near), near)
    search(tmp_path / "s", options(), Budget(trials=1), baselines=[start])
    state = Ledger(tmp_path / "s").state()
    assert state is not None
    centre = ENGINES["cma-es"].restore(state.engine).centre()
    assert centre is not None
    assert list(centre.values()) == pytest.approx([0.9, 0.2, 0.6])
