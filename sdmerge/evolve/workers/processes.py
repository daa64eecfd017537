"""Workers in processes of their own: one per GPU, or several on a CPU with one thread each.

A worker that dies, or that does not answer in time, is replaced, and its job is given to another
once more; the second time it is an outcome with an error.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from sdmerge.errors import ResourceError
from sdmerge.evolve.workers.job import (
    Job,
    Opener,
    Outcome,
    Work,
    done,
    refuse_cancelled,
    sendable,
)

_LOOK = 0.2
"""Seconds between looks at `cancel`."""
_START = 600.0
"""Seconds that a worker may take to load its models."""
_FALSE_STARTS = 3
"""Workers that may be lost one after the other before any is ready."""
_PATIENCE = 2.0
"""Seconds that a worker has to end before it is killed."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

Setting = Mapping[str, str]
"""Environment variables of a worker."""


def devices_of(device: str, count: int) -> list[Setting]:
    """The environment of `count` workers: a GPU each, as far as there are, or one thread each."""
    if device.startswith("cuda"):
        import torch

        own = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        names = own.split(",") if own else [str(at) for at in range(torch.cuda.device_count())]
        return [{"CUDA_VISIBLE_DEVICES": names[at % len(names)]} for at in range(count)]
    return [dict.fromkeys(_THREADS, "1") for _ in range(count)]


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Any
    setting: Setting
    since: float
    ready: bool = False
    job: Job | None = None


class Processes:
    """A worker per entry of `settings`, each with an evaluator of its own.

    timeout: Seconds that a job may take before its worker counts as hung.
    """

    def __init__(
        self, opener: Opener, settings: Sequence[Setting], *, timeout: float = 3600.0
    ) -> None:
        self._opener = pickle.dumps(opener)
        self._timeout = timeout
        self._context = multiprocessing.get_context("spawn")
        self._settings = list(settings)
        self._workers: list[_Worker] = []
        self._false_starts = 0

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return len(self._settings)

    def run(
        self, jobs: Iterator[Job], *, cancel: threading.Event | None = None
    ) -> Generator[Outcome]:
        """Every job's outcome, as they are done."""
        work = Work(jobs)
        if not self._workers:
            self._workers = [self._start(setting) for setting in self._settings]
        try:
            self._hand_out(work)
            while not work.over or any(worker.job for worker in self._workers):
                refuse_cancelled(cancel)
                yield from self._heard(work)
                yield from self._missed(work)
                self._hand_out(work)
        except BaseException:
            self.close()  # what they do now nobody waits for
            raise

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            _end(worker)
        self._workers = []

    def _start(self, setting: Setting) -> _Worker:
        here, there = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(there, self._opener, dict(setting)), daemon=True
        )
        process.start()
        there.close()
        return _Worker(process, here, setting, time.monotonic())

    def _hand_out(self, work: Work) -> None:
        """A job for every worker that is ready and has none."""
        for worker in self._workers:
            if worker.ready and worker.job is None and (job := work.take()) is not None:
                worker.job, worker.since = job, time.monotonic()
                # the other end of a dead one's pipe is found out when it is listened to
                with contextlib.suppress(OSError):
                    worker.pipe.send(job)

    def _heard(self, work: Work) -> Iterator[Outcome]:
        """What workers have to say, waited for a little."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(by_pipe), timeout=_LOOK):
            worker = by_pipe[pipe]  # pyright: ignore[reportArgumentType]
            try:
                said = worker.pipe.recv()
            except (EOFError, OSError):
                yield from self._lost(worker, work, "ended by itself")
                continue
            if isinstance(said, Outcome):
                worker.job = None
                yield said
            elif said is None:
                worker.ready, self._false_starts = True, 0
            else:
                raise said  # what it is opened from is wrong, for every worker

    def _missed(self, work: Work) -> Iterator[Outcome]:
        """Workers that have been silent too long are lost."""
        now = time.monotonic()
        for worker in list(self._workers):
            allowed = self._timeout if worker.ready else _START
            if (worker.job or not worker.ready) and now - worker.since > allowed:
                yield from self._lost(worker, work, f"did not answer for {allowed:g} s")

    def _lost(self, worker: _Worker, work: Work, why: str) -> Iterator[Outcome]:
        """Replace a worker; its job is done again, or is an outcome."""
        _end(worker)
        code = worker.process.exitcode
        self._workers[self._workers.index(worker)] = self._start(worker.setting)
        job = worker.job
        if job is None:
            self._false_starts += not worker.ready
            if self._false_starts >= _FALSE_STARTS:
                hint = "With fewer --workers there is more memory for each."
                raise ResourceError(f"a worker {why} before it was ready (exit {code})", hint=hint)
        elif not work.repeat(job):
            what = f"a worker {why} over this candidate, twice (exit {code})"
            yield Outcome(job.number, error=ResourceError(what))


def _serve(pipe: Connection, opener: bytes, setting: dict[str, str]) -> None:
    """A worker's life: open an evaluator, say so, do jobs until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's business
    os.environ.update(setting)  # before what reads it is imported
    try:
        evaluator = pickle.loads(opener).open()
    except Exception as error:  # noqa: BLE001 - the parent raises it
        pipe.send(sendable(error))
        return
    pipe.send(None)
    # without a parent there is nobody to work for
    with contextlib.closing(evaluator), contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(done(evaluator, pipe.recv()).sendable())


def _end(worker: _Worker) -> None:
    worker.pipe.close()
    if worker.ready and worker.job is None:  # it goes by itself, and tidies up
        worker.process.join(_PATIENCE)
    worker.process.terminate()
    worker.process.join(_PATIENCE)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
