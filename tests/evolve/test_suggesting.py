"""What somebody adds to a search at work: judged beside the batch, never told to the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evolve.analytic import TARGET, Formula, Weights, options, recipe_of, search
from sdmerge.errors import Cancelled
from sdmerge.evolve.export.reading import read_history
from sdmerge.evolve.ledger import Key, Ledger
from sdmerge.evolve.run import Baseline, Budget, Progress, best
from sdmerge.evolve.workers import Local

SPACE = Weights()
TOP = dict(zip((gene.name for gene in SPACE.genes), TARGET, strict=False))
BEST = Baseline("top", "added", SPACE.fill(TOP), TOP)
OUTSIDE = Baseline("outside", "added", SPACE.fill(TOP))  # the same, but no candidate of the space


class Inbox:
    """Gives what it holds from an evaluation of generation 1 on."""

    def __init__(self, *held: Baseline) -> None:
        self._held, self._open = held, False

    def told(self, progress: Progress) -> None:
        self._open |= progress.what == "generation 1"

    def __call__(self) -> Sequence[Baseline]:
        return self._held if self._open else ()


def added(folder: Path, inbox: Callable[[], Any], chosen: Any = None, **more: Any) -> Ledger:
    search(folder, chosen or options(), Budget(trials=48), suggested=inbox, **more)
    return Ledger(folder)


def asked(ledger: Ledger) -> list[Any]:
    return [row.candidate for key, row in sorted(ledger.rows.items()) if key.role == "candidate"]


@pytest.mark.parametrize("halving", [0, 3])
def test_the_best_of_the_space_wins_and_the_engine_does_not_hear_of_it(
    tmp_path: Path, halving: int
) -> None:
    chosen = options(halving=halving)
    inbox = Inbox(OUTSIDE, BEST)
    ledger = added(tmp_path / "s", inbox, chosen, told=inbox.told)
    rows = {key: row for key, row in ledger.rows.items() if key.role == "suggested"}
    assert {key.generation for key in rows} == {2}
    assert {row.exam for row in rows.values()} == {
        row.exam for key, row in ledger.rows.items() if key[:2] == ("candidate", 2)
    }
    assert ledger.generations[2].won
    assert ledger.generations[2].incumbent == TOP
    found = best(ledger, chosen.objectives)
    assert found is not None
    assert found[0] == TOP
    plain = tmp_path / "plain"
    search(plain, chosen, Budget(trials=48))
    assert asked(ledger) == asked(Ledger(plain))


def test_what_lies_outside_is_compared_with_and_shown(tmp_path: Path) -> None:
    inbox = Inbox(OUTSIDE)
    chosen = options()
    ledger = added(tmp_path / "s", inbox, chosen, told=inbox.told)
    assert all(one.incumbent != TOP for one in ledger.generations.values())
    history = read_history(ledger, chosen, SPACE.genes)
    (shown,) = [one for one in history.trials if one.name == "outside"]
    row = ledger.rows[Key("suggested", 2)].evaluation
    assert row is not None
    assert (shown.name, shown.generation) == ("outside", 2)
    assert shown.objectives == pytest.approx((row.mean("fit"),))
    last = max(one.number for one in history.searched if one.generation == 2)
    assert shown.number == last
    assert shown not in history.baselines


def test_what_cannot_be_evaluated_stops_nothing(tmp_path: Path) -> None:
    wrong = [Baseline(f"wrong{n}", "added", recipe_of((1.8, 0.0, 0.0))) for n in range(4)]
    inbox = Inbox(*wrong)
    executor = Local(Formula(mischief="raise"))
    ledger = added(tmp_path / "s", inbox, told=inbox.told, executor=executor)
    errors = [row.error for key, row in ledger.rows.items() if key.role == "suggested"]
    assert errors == ["no such luck"] * 4
    assert len([key for key in ledger.rows if key.role == "candidate"]) == 48


def test_a_search_that_was_stopped_judges_it_once(tmp_path: Path) -> None:
    stop, inbox = threading.Event(), Inbox(BEST)

    def told(progress: Progress) -> None:
        inbox.told(progress)
        if progress.what == "generation 2" and progress.done % 5 == 4:
            stop.set()

    with pytest.raises(Cancelled):
        added(tmp_path / "cut", inbox, told=told, cancel=stop)
    log = tmp_path / "log"
    cut = added(tmp_path / "cut", inbox, executor=Local(Formula(log)))
    again = Inbox(BEST)
    whole = added(tmp_path / "whole", again, told=again.told)
    assert dict(cut.rows) == dict(whole.rows)
    assert cut.generations == whole.generations
