"""The loop: ask a batch, evaluate all of it on one exam, tell the engine; again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sdmerge.evolve.genes import Candidate, Told, positions
from sdmerge.evolve.ledger import BASELINES, Entry, Generation, Journal, Key, Ledger, Row, State
from sdmerge.evolve.run.asking import Asking, Request
from sdmerge.evolve.run.baselines import Baseline
from sdmerge.evolve.run.exams import search_exam
from sdmerge.evolve.run.mirroring import mirror, mirror_rows
from sdmerge.evolve.run.options import Budget, Options, mean
from sdmerge.evolve.run.progress import Progress
from sdmerge.evolve.run.searched import Asked, EngineOf, Searched
from sdmerge.evolve.run.sitting import Batch, Sitting
from sdmerge.evolve.run.suggesting import rows_of
from sdmerge.evolve.run.validating import Validating, given
from sdmerge.evolve.workers import Executor

Why = Literal["trials", "hours", "patience"]


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a search ended, what it evaluated in this run, and what it has."""

    why: Why
    evaluations: int
    trials: int
    generations: int
    seconds: float


class Search:
    """A search in a study's folder, which is claimed and described by whoever runs it."""

    def __init__(
        self,
        ledger: Ledger,
        space: Searched,
        engine: EngineOf,
        options: Options,
        budget: Budget,
        *,
        executor: Executor,
        baselines: Sequence[Baseline] = (),
        suggested: Callable[[], Sequence[Baseline]] = tuple,
        journal: Journal | None = None,
        told: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._ledger, self._space, self._engine = ledger, space, engine
        self._options, self._budget, self._journal = options, budget, journal
        self._told = told
        start = Baseline(
            "start", "start", space.fill(space.init), space.init, space.sampling(space.init)
        )
        self._baselines: tuple[Baseline, ...] = (*baselines, start)
        self._begun = time.monotonic()
        self._before = len(ledger.rows)
        self._trials_before = self._trials()
        deadline = math.inf if budget.hours is None else self._begun + 3600 * budget.hours
        self._asking = Asking(ledger, executor, self._progress, told, cancel, deadline)
        every = max(1, options.validate_every)
        planned = (budget.trials or 0) // max(1, options.round_of) // every + 2
        self._validating = Validating(self._asking, space, options, planned)
        self._sitting = Sitting(self._asking, space, options, suggested)

    def run(self) -> Ended:
        """Search until the budget is spent. A run that was stopped goes on where it was."""
        self._compare()
        state = self._ledger.state()
        if state is None and self._asking.late:  # where to begin is not known yet
            return self._ended("hours")
        if state is None:
            engine = self._open()
            state = self._asked(engine, 0, 0, ())
        else:
            engine = self._engine.restore(state.engine)
            engine.ask()
        while (why := self._over(state)) is None:
            after = self._step(engine, state)
            if after is None:
                why = "hours" if self._asking.late else "trials"
                break
            state = after
        self._look_back()
        return self._ended(why)

    def _ended(self, why: Why) -> Ended:
        evaluations = len(self._ledger.rows) - self._before
        seconds = time.monotonic() - self._begun
        return Ended(why, evaluations, self._trials(), len(self._ledger.generations), seconds)

    def _compare(self) -> None:
        """Evaluate the baselines, and validate the parents."""
        options = self._options
        whole = replace(options, prompts_per_generation=0)
        requests = [
            Request(
                Key("baseline", BASELINES, at), given(one.recipe), one.candidate, one.name,
                {**options.sampling, **one.sampling}, options.columns,
            )
            for at, one in enumerate(self._baselines)
        ]  # fmt: skip
        rows = self._asking.rows(requests, search_exam(whole, BASELINES), "baselines", BASELINES)
        if self._journal is not None:
            mirror_rows(self._journal, [rows[key] for key in sorted(rows)], options)
            for number in sorted(self._ledger.generations):
                self._mirror(number, self._ledger.generations[number].entries)
        if options.validation:
            self._validating.parents(self._baselines)

    def _mirror(self, generation: int, entries: Sequence[Entry]) -> None:
        if self._journal is not None:
            mirror(self._journal, self._ledger, generation, entries)
            added = [own[0] for own in rows_of(self._ledger, generation).values()]
            mirror_rows(self._journal, added, self._options)

    def _open(self) -> Asked:
        """The engine, at the best baseline that lies in its space."""
        first = self._options.objectives[0]
        genes, start, top = self._space.genes, self._space.init, -math.inf
        for at, one in enumerate(self._baselines):
            row = self._ledger.rows.get(Key("baseline", BASELINES, at))
            if one.candidate is None or row is None or row.evaluation is None:
                continue
            score = mean(first.per_prompt(row.evaluation))
            if score > top and all(0 <= x <= 1 for x in positions(genes, one.candidate)):
                start, top = one.candidate, score
        options = self._options
        return self._engine.open(
            genes, start, options.seed, self._budget.trials or 0, **options.params
        )

    def _asked(
        self, engine: Asked, generation: int, slot: int, entries: tuple[Entry, ...]
    ) -> State:
        """The state after the engine asked its next batch; that of a generation's first is kept.

        From there the ledger's scores lead a resumed run back to here.
        """
        asked = tuple(engine.ask())
        if slot:
            return State(generation, slot, asked, b"", entries)
        state = State(generation, slot, asked, engine.state(), entries)
        self._ledger.save_state(state)
        return state

    def _over(self, state: State) -> Why | None:
        budget = self._budget
        if budget.trials is not None and self._earlier(state) >= budget.trials:
            return "trials"
        if self._asking.late:
            return "hours"
        closed = [one for one in self._ledger.generations.values() if not one.cut]
        wins = [one.number for one in closed if one.won]
        idle = len(closed) - 1 - max(wins, default=-1)
        return "patience" if budget.patience is not None and idle >= budget.patience else None

    def _step(self, engine: Asked, state: State) -> State | None:
        """Evaluate the batch and tell the engine; None if the budget ended before the batch."""
        left = math.inf
        if self._budget.trials is not None:
            left = self._budget.trials - self._earlier(state)
        batch = self._sitting.sit(state, min(left, len(state.asked)), self._baselines)
        entries = (*state.entries, *batch.entries)
        self._mirror(state.generation, batch.entries)
        if not batch.whole:
            if batch.entries:
                self._close(engine, state.generation, entries, batch, cut=True)
            return None
        engine.tell(self._heard(state.asked, batch))
        slots = state.slot + len(state.asked)
        if len(state.asked) == 1 and slots < self._options.round_of:
            return self._asked(engine, state.generation, slots, entries)
        self._close(engine, state.generation, entries, batch, cut=False)
        return self._asked(engine, state.generation + 1, 0, ())

    def _heard(self, asked: Sequence[Candidate], batch: Batch) -> list[Told]:
        return [
            Told(candidate, entry.told, prompts)
            for candidate, entry, prompts in zip(asked, batch.entries, batch.prompts, strict=True)
        ]

    def _close(
        self, engine: Asked, number: int, entries: tuple[Entry, ...], batch: Batch, *, cut: bool
    ) -> None:
        """Say what the generation came to; every so often, validate."""
        before = self._incumbent(number)
        candidate, score, won = before, batch.incumbent, False
        kept = [one for one in entries if one.fate == "kept"]
        if kept:
            top = max(kept, key=lambda one: (one.scores[0], -one.slot))
            if before is None or score is None or top.scores[0] > score:
                candidate, score, won = self._candidate(number, top.slot), top.scores[0], True
        for one, own in batch.suggested:
            if score is None or own > score:
                candidate, score, won = one, own, True
        notes: tuple[str, ...] = ()
        due = not cut and (number + 1) % self._options.validate_every == 0
        if due and candidate is not None and self._options.validation:
            notes = self._validating.candidates(number, candidate, engine.centre())
            self._warn(notes)
        asked = [self._candidate(number, one.slot) for one in entries]
        self._ledger.close(
            Generation(number, entries, candidate, score, won, cut, notes, self._spread(asked))
        )

    def _look_back(self) -> None:
        """Validate the last incumbent, if that has not been done."""
        if not self._ledger.generations or not self._options.validation:
            return
        last = self._ledger.generations[max(self._ledger.generations)]
        if last.incumbent is None:
            return
        state = self._ledger.state()
        engine = None if state is None else self._engine.restore(state.engine)
        centre = None if engine is None else engine.centre()
        notes = self._validating.candidates(last.number, last.incumbent, centre)
        if notes != last.notes:
            self._warn(notes)
        self._ledger.close(replace(last, notes=notes))

    def _warn(self, notes: Sequence[str]) -> None:
        if self._told is not None:
            for note in notes:
                self._told(replace(self._progress("validation"), alarm=note))

    def _incumbent(self, generation: int) -> Candidate | None:
        """The best before this generation."""
        earlier = self._ledger.generations.get(generation - 1)
        return None if earlier is None else earlier.incumbent

    def _candidate(self, generation: int, slot: int) -> Candidate:
        row: Row = self._ledger.rows[Key("candidate", generation, slot)]
        assert row.candidate is not None
        return row.candidate

    def _spread(self, asked: Sequence[Candidate]) -> float | None:
        """The mean over genes of the standard deviation of their places."""
        places = [positions(self._space.genes, one) for one in asked]
        if len(places) < 2:
            return None
        columns = list(zip(*places, strict=True))
        deviations = [
            math.sqrt(math.fsum((x - mean(column)) ** 2 for x in column) / len(column))
            for column in columns
        ]
        return mean(deviations)

    def _trials(self) -> int:
        """Candidates evaluated so far, in all runs together."""
        return sum(key.role == "candidate" and not key.part for key in self._ledger.rows)

    def _earlier(self, state: State) -> int:
        """Candidates of batches before this one."""
        place = (state.generation, state.slot)
        return sum(
            key.role == "candidate" and not key.part and (key.generation, key.slot) < place
            for key in self._ledger.rows
        )

    def _progress(self, what: str, done: int = 0, of: int = 0) -> Progress:
        """How far the search is; `done` of `of` is about baselines."""
        trials = self._trials()
        begun, left = time.monotonic() - self._begun, None
        if what != "baselines":
            done = trials - self._trials_before
            of = max(0, (self._budget.trials or 0) - self._trials_before)
            left = (of - done) * begun / done if of and done else None
        closed = self._ledger.generations
        best = closed[max(closed)].score if closed else None
        return Progress(what, done, of, trials, best, left)
