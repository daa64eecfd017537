"""Workers: what they find is what one process finds, and none of them is needed to the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evolve.analytic import SEARCH, Formula, fitness, options, recipe_of, search, told_of
from sdmerge.errors import Cancelled, ResourceError
from sdmerge.evolve.exam import Exam
from sdmerge.evolve.ledger import Ledger
from sdmerge.evolve.run import Budget
from sdmerge.evolve.workers import Executor, Job, Local, Outcome, Processes, devices_of

EXAM = Exam.of(SEARCH, 1, "test")
TWO = devices_of("cpu", 2)
BAD = (1.8, 0.0, 0.0)


def jobs(count: int, bad: int | None = None) -> Iterator[Job]:
    for number in range(count):
        weights = BAD if number == bad else (number / count, 0.2, 0.6)
        yield Job(number, recipe_of(weights), EXAM)


@pytest.fixture
def processes() -> Iterator[Callable[..., Processes]]:
    made: list[Processes] = []

    def make(formula: Formula, count: int = 2, **more: float) -> Processes:
        made.append(Processes(formula, devices_of("cpu", count), **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Shuffled:
    """An executor that gives outcomes in an order of its own."""

    workers = 5

    def __init__(self, seed: int) -> None:
        self._random, self._of = random.Random(seed), Local(Formula())

    def run(self, jobs: Iterator[Job], *, cancel: threading.Event | None = None):
        outcomes: list[Outcome] = list(self._of.run(jobs, cancel=cancel))
        self._random.shuffle(outcomes)
        yield from outcomes

    def close(self) -> None:
        self._of.close()


@pytest.mark.parametrize("engine", ["cma-es", "tpe", "m2n2"])
def test_the_order_in_which_they_finish_changes_nothing(tmp_path: Path, engine: str) -> None:
    chosen = options(engine, halving=0 if engine == "m2n2" else 3)
    executors: list[Executor] = [Local(Formula()), Shuffled(1), Shuffled(2)]
    for number, executor in enumerate(executors):
        search(tmp_path / str(number), chosen, Budget(trials=36), executor)
    first, *others = (told_of(tmp_path / str(number)) for number in range(3))
    assert others == [first, first]
    assert len({str(Ledger(tmp_path / str(n)).generations) for n in range(3)}) == 1


def test_processes_find_what_one_process_finds(
    processes: Callable[..., Processes], tmp_path: Path
) -> None:
    """Several batches: the workers stay, and tidy up when they are let go."""
    ends = tmp_path / "end-one", tmp_path / "end-two"
    here, there = Local(Formula(closed=ends[0])), processes(Formula(closed=ends[1]))
    search(tmp_path / "one", options(), Budget(trials=24), here)
    search(tmp_path / "two", options(), Budget(trials=24), there)
    assert told_of(tmp_path / "one") == told_of(tmp_path / "two")
    assert not any(end.exists() for end in ends)
    here.close()
    there.close()
    assert all(end.exists() for end in ends)


def test_a_worker_that_dies_is_replaced_and_its_job_done_again(
    processes: Callable[..., Processes], tmp_path: Path
) -> None:
    workers = processes(Formula(mischief="die", once=tmp_path))
    found = {one.number: one for one in workers.run(jobs(8, bad=3))}
    assert (tmp_path / "done").exists()
    assert sorted(found) == list(range(8))
    assert all(one.error is None for one in found.values())
    again = found[3].evaluation
    assert again is not None
    assert again.mean("fit") == pytest.approx(fitness(BAD), abs=0.1)


def test_a_job_that_kills_two_workers_is_an_error(processes: Callable[..., Processes]) -> None:
    found = {one.number: one for one in processes(Formula(mischief="die")).run(jobs(6, bad=2))}
    assert isinstance(found[2].error, ResourceError)
    assert "twice" in str(found[2].error)
    assert "exit 3" in str(found[2].error)
    assert all(found[n].error is None for n in (0, 1, 3, 4, 5))


def test_a_worker_that_hangs_is_replaced(
    processes: Callable[..., Processes], tmp_path: Path
) -> None:
    workers = processes(Formula(mischief="hang", once=tmp_path), timeout=0.5)
    found = list(workers.run(jobs(6, bad=0)))
    assert sorted(one.number for one in found) == list(range(6))
    assert all(one.error is None for one in found)


def test_an_error_of_a_worker_is_an_outcome(processes: Callable[..., Processes]) -> None:
    found = {one.number: one for one in processes(Formula(mischief="raise")).run(jobs(4, bad=1))}
    assert isinstance(found[1].error, RuntimeError)
    assert str(found[1].error) == "no such luck"


def test_cancelling_ends_the_workers(processes: Callable[..., Processes]) -> None:
    workers, stop = processes(Formula(wait=0.05)), threading.Event()
    run = workers.run(jobs(100), cancel=stop)
    next(run)
    stop.set()
    with pytest.raises(Cancelled):
        list(run)


def test_what_workers_cannot_open_is_said_at_once(processes: Callable[..., Processes]) -> None:
    class_ = processes(Unopened())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no scorer here"):
        list(class_.run(jobs(2)))


class Unopened:
    def open(self) -> Formula:
        raise ValueError("no scorer here")


def test_a_worker_on_a_processor_has_one_thread() -> None:
    assert [one["OMP_NUM_THREADS"] for one in TWO] == ["1", "1"]
