"""One worker: this process."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

from sdmerge.evolve.exam import Evaluator
from sdmerge.evolve.workers.job import Job, Opener, Outcome, done, refuse_cancelled


class Local:
    """Does jobs one after the other, where it is. The evaluator is opened for the first."""

    workers = 1

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._evaluator: Evaluator | None = None

    def run(
        self, jobs: Iterator[Job], *, cancel: threading.Event | None = None
    ) -> Generator[Outcome]:
        """Every job's outcome, in order; between pictures `cancel` is looked at."""
        for job in jobs:
            refuse_cancelled(cancel)
            if self._evaluator is None:
                self._evaluator = self._opener.open()
            yield done(self._evaluator, job, cancel)

    def close(self) -> None:
        """Let the models go."""
        if self._evaluator is not None:
            self._evaluator.close()
        self._evaluator = None
