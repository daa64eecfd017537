"""Workers on a Ray cluster: an actor each, which keeps its models.

An actor gets a job only after it has answered a hello: one that finds no room in the cluster would
otherwise hold the job for ever. Whatever Ray says of a lost actor or node, the job is done again by
another, once, and the actor is replaced.
"""

# ray's decorators and futures have no types of their own
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from sdmerge.errors import InputError, ResourceError
from sdmerge.evolve.workers.job import Job, Opener, Outcome, Work, done, refuse_cancelled

_LOOK = 0.2
_START = 600.0
_FALSE_STARTS = 3
_PATIENCE = 2.0
"""Seconds that actors have to tidy up."""


class Hand:
    """What an actor is: an evaluator, opened where it lives."""

    def __init__(self, opener: bytes) -> None:
        self._evaluator = pickle.loads(opener).open()

    def hello(self) -> bool:
        """That it is there."""
        return True

    def do(self, job: Job) -> bytes:
        """The outcome of a job."""
        return pickle.dumps(done(self._evaluator, job).sendable())

    def close(self) -> None:
        """Let the models go."""
        self._evaluator.close()


@dataclass(slots=True)
class _Actor:
    handle: Any
    waiting: Any
    """The future of its hello, or of its job."""
    since: float
    job: Job | None = None
    ready: bool = False


class Cluster:
    """`count` actors on the Ray cluster at `address` ("auto": the one of this machine).

    gpus: GPUs that each of them takes. timeout: Seconds that a job may take.
    """

    def __init__(
        self, opener: Opener, address: str, count: int, *, gpus: float = 0.0,
        timeout: float = 3600.0,
    ) -> None:  # fmt: skip
        ray = _ray()
        self._opener, self._count, self._timeout = pickle.dumps(opener), count, timeout
        if not ray.is_initialized():
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, ValueError, RuntimeError) as error:
                hint = "Start one with `ray start --head`, or drop --ray."
                what = f"there is no cluster: {error}".splitlines()[0]
                raise InputError(what, where=f"--ray {address}", hint=hint) from error
            self._ours = True
        else:
            self._ours = False
        self._kind = ray.remote(num_cpus=0 if gpus else 1, num_gpus=gpus, max_restarts=0)(Hand)
        self._actors: list[_Actor] = []
        self._false_starts = 0

    @property
    def workers(self) -> int:
        """How many actors there are."""
        return self._count

    def run(
        self, jobs: Iterator[Job], *, cancel: threading.Event | None = None
    ) -> Generator[Outcome]:
        """Every job's outcome, as they are done."""
        work = Work(jobs)
        if not self._actors:
            self._actors = [self._start() for _ in range(self._count)]
        try:
            while not work.over or any(actor.job for actor in self._actors):
                refuse_cancelled(cancel)
                yield from self._heard(work)
                yield from self._missed(work)
                for actor in self._actors:
                    if actor.ready and actor.job is None and (job := work.take()) is not None:
                        actor.job, actor.since = job, time.monotonic()
                        actor.waiting = actor.handle.do.remote(job)
        except BaseException:
            self._end_all()  # what they do now nobody waits for
            raise

    def close(self) -> None:
        """Let the actors go, and the cluster if it was joined here."""
        idle = [actor for actor in self._actors if actor.ready and actor.job is None]
        if idle:
            last = [actor.handle.close.remote() for actor in idle]
            _ray().wait(last, num_returns=len(last), timeout=_PATIENCE)
        self._end_all()
        if self._ours:
            _ray().shutdown()

    def _start(self) -> _Actor:
        handle = self._kind.remote(self._opener)
        return _Actor(handle, handle.hello.remote(), time.monotonic())

    def _heard(self, work: Work) -> Iterator[Outcome]:
        ray = _ray()
        waiting = {actor.waiting: actor for actor in self._actors if actor.job or not actor.ready}
        if not waiting:
            return
        answered, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK)
        for future in answered:
            actor = waiting[future]
            try:
                said = ray.get(future)
            except ray.exceptions.RayError as error:
                yield from self._lost(actor, work, error)
                continue
            if actor.job is None:
                actor.ready, self._false_starts = True, 0
            else:
                actor.job = None
                yield pickle.loads(said)

    def _missed(self, work: Work) -> Iterator[Outcome]:
        now = time.monotonic()
        for actor in list(self._actors):
            allowed = self._timeout if actor.ready else _START
            if (actor.job or not actor.ready) and now - actor.since > allowed:
                error = TimeoutError(f"no answer for {allowed:g} s")
                yield from self._lost(actor, work, error)

    def _lost(self, actor: _Actor, work: Work, error: Exception) -> Iterator[Outcome]:
        """Replace an actor; its job is done again, or is an outcome."""
        _ray().kill(actor.handle)
        cause = _cause(error)
        if not actor.ready and cause is not None:
            raise cause  # what it is opened from is wrong, for every actor
        said = str(error).strip().splitlines()[0]
        self._actors[self._actors.index(actor)] = self._start()
        if actor.job is None:
            self._false_starts += not actor.ready
            if self._false_starts >= _FALSE_STARTS:
                hint = "Ask for fewer --workers, or give the cluster more processors."
                raise ResourceError(f"no worker gets ready: {said}", hint=hint)
        elif not work.repeat(actor.job):
            what = f"a worker was lost over this candidate, twice: {said}"
            yield Outcome(actor.job.number, error=ResourceError(what))

    def _end_all(self) -> None:
        for actor in self._actors:
            _ray().kill(actor.handle)
        self._actors = []


def _cause(error: Exception) -> Exception | None:
    """The error that an actor died of as it opened its evaluator."""
    task = error.args[0] if error.args else None
    cause = getattr(task, "cause", None)
    return cause if isinstance(cause, Exception) else None


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        hint = "pip install 'sdmerge[ray]'"
        raise InputError("Ray is not installed", where="--ray", hint=hint) from error
    return ray
