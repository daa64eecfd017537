"""Asking: evaluations that are in the ledger are replayed, the others are done and recorded."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdmerge.errors import SdmergeError
from sdmerge.evolve.exam import Evaluation, Exam
from sdmerge.evolve.genes import Candidate
from sdmerge.evolve.ledger import Key, Ledger, Row
from sdmerge.evolve.run.progress import Progress
from sdmerge.evolve.workers import Executor, Job, Outcome
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe

IN_A_ROW = 3
"""Failures one after the other that stop a search."""


@dataclass(frozen=True, slots=True)
class Request:
    """An evaluation that is wanted. `recipe` is made when a worker is free for it."""

    key: Key
    recipe: Callable[[], Recipe]
    candidate: Candidate | None = None
    name: str = ""
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    columns: tuple[str, ...] | None = None
    pictures: Path | None = None


@dataclass(slots=True)
class Asking:
    """Asks one executor and one ledger.

    deadline: The time.monotonic() after which nothing more is begun.
    """

    ledger: Ledger
    executor: Executor
    progress: Callable[[str, int, int], Progress]
    told: Callable[[Progress], None] | None = None
    cancel: threading.Event | None = None
    deadline: float = math.inf
    _failures: int = 0

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.deadline

    def rows(
        self, requests: Sequence[Request], exam: Exam, what: str, generation: int
    ) -> dict[Key, Row]:
        """The row of every request on `exam`; some are missing if the deadline came before them.

        The third failure in a row is raised, and those before it are forgotten, so that a study
        can be continued when its cause is mended.
        """
        name = self.ledger.announce(exam, what.split(" ", maxsplit=1)[0], generation)
        rows = {one.key: row for one in requests if (row := self._known(one, name)) is not None}
        wanted = [one for one in requests if one.key not in rows]
        failed: list[Row] = []
        if wanted:
            outcomes = self.executor.run(self._jobs(wanted, exam), cancel=self.cancel)
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    row = _row(wanted[outcome.number], name, outcome)
                    rows[row.key] = row
                    failed = self._record(outcome, row, failed)
                    if self.told is not None:
                        self.told(self.progress(what, len(rows), len(requests)))
            if failed:
                self.ledger.record(*failed)
        return rows

    def _record(self, outcome: Outcome, row: Row, failed: list[Row]) -> list[Row]:
        """Record a row; failures wait for a success, and are returned till then."""
        if row.error:
            self._count_failure(outcome, row)
            return [*failed, row]
        self._failures = 0
        self.ledger.record(*failed, row)
        return []

    def _known(self, request: Request, exam: str) -> Row | None:
        """The ledger's row of a request, if it is about the same candidate and exam."""
        row = self.ledger.rows.get(request.key)
        if row is None or row.exam != exam or row.name != request.name:
            return None
        return row if row.candidate == request.candidate else None

    def _jobs(self, requests: Sequence[Request], exam: Exam) -> Iterator[Job]:
        for number, one in enumerate(requests):
            if self.late:
                return
            yield Job(number, one.recipe(), exam, one.sampling, one.columns, one.pictures)

    def _count_failure(self, outcome: Outcome, row: Row) -> None:
        if row.key.role == "suggested":  # what people add may be wrong, and the search go on
            return
        self._failures += 1
        if self._failures < IN_A_ROW:
            return
        if isinstance(outcome.error, SdmergeError):
            raise outcome.error
        what = f"{IN_A_ROW} evaluations in a row failed: {row.error}"
        hint = "--debug says where; the study goes on from here with --resume."
        raise SdmergeError(what, where=row.name, hint=hint) from outcome.error


def _row(request: Request, exam: str, outcome: Outcome) -> Row:
    evaluation, error = outcome.evaluation, ""
    if outcome.error is not None:
        error = str(outcome.error) or type(outcome.error).__name__
    elif evaluation is None or not _finite(evaluation):
        evaluation, error = None, "a score is not a number"
    return Row(request.key, exam, request.candidate, request.name, evaluation, error)


def _finite(evaluation: Evaluation) -> bool:
    tables = evaluation.scores.values()
    return all(math.isfinite(one) for rows in tables for own in rows for one in own)
