"""Jobs and outcomes, and how an evaluator does a job."""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from sdmerge.errors import Cancelled
from sdmerge.evolve.exam import Evaluation, Evaluator, Exam, Keep
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe

ATTEMPTS = 2
"""How often a job is given to a worker, if workers are lost over it."""
KEPT = 8
"""Prompts whose pictures are kept, where pictures are."""


class Opener(Protocol):
    """What an evaluator is opened from; it can be pickled."""

    def open(self) -> Evaluator:
        """The evaluator, its models loaded."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A recipe and its exam. `number` tells jobs apart; `columns` are the scorers to ask.

    pictures: A folder where the first picture of the first prompts is kept.
    """

    number: int
    recipe: Recipe
    exam: Exam
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    columns: tuple[str, ...] | None = None
    pictures: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job: an evaluation, or the error that kept it from one."""

    number: int
    evaluation: Evaluation | None = None
    error: Exception | None = None

    def sendable(self) -> Outcome:
        """Itself, its error as it survives a journey to another process."""
        return self if self.error is None else replace(self, error=sendable(self.error))


@dataclass(slots=True)
class Work:
    """What is left to do: jobs to take, jobs to give once more, and how often each was given."""

    jobs: Iterator[Job]
    again: deque[Job] = field(default_factory=deque[Job])
    given: dict[int, int] = field(default_factory=dict[int, int])
    over: bool = False

    def take(self) -> Job | None:
        """The next job; None if there is none for now."""
        job = self.again.popleft() if self.again else next(self.jobs, None)
        self.over = job is None
        if job is not None:
            self.given[job.number] = self.given.get(job.number, 0) + 1
        return job

    def repeat(self, job: Job) -> bool:
        """Whether a job that was lost is to be done again."""
        if self.given[job.number] < ATTEMPTS:
            self.again.append(job)
            self.over = False
            return True
        return False


class Executor(Protocol):
    """Does jobs."""

    @property
    def workers(self) -> int:
        """How many jobs are done at once."""
        ...

    def run(
        self, jobs: Iterator[Job], *, cancel: threading.Event | None = None
    ) -> Generator[Outcome]:
        """Every job's outcome, as they are done. A job is taken when a worker is free for it.

        Raises Cancelled when `cancel` is set; what was done till then has been given.
        """
        ...

    def close(self) -> None:
        """Let the workers go."""
        ...


def done(evaluator: Evaluator, job: Job, cancel: threading.Event | None = None) -> Outcome:
    """The outcome of a job. Errors are outcomes, but for the user's wish to stop."""
    try:
        keep = None if job.pictures is None else _keeper(job.pictures)
        evaluation = evaluator(
            job.recipe, job.exam, job.sampling, columns=job.columns, keep=keep, cancel=cancel
        )
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - a candidate that cannot be evaluated is told so
        return Outcome(job.number, error=error)
    return Outcome(job.number, evaluation)


def sendable(error: Exception) -> Exception:
    """`error`, or its words if it does not survive being pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - anything may be wrong with a stranger's exception
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def refuse_cancelled(cancel: threading.Event | None) -> None:
    """Raise Cancelled if it is set."""
    if cancel is not None and cancel.is_set():
        raise Cancelled("the search was stopped", hint="The same command with --resume goes on.")


def _keeper(folder: Path) -> Keep:
    folder.mkdir(parents=True, exist_ok=True)

    def keep(prompt: int, seed: int, picture: Any) -> None:
        if seed == 0 and prompt < KEPT:
            picture.save(folder / f"{prompt:03d}.png")

    return keep
