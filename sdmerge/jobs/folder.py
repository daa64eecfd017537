"""The folder of all jobs: numbers that are given once, states that change one at a time.

In the workspace:

runs/lock              held for the moment of any change
runs/last              the last number that was given
runs/0042/job.json     the job as it is
runs/0042/request.json what it does
runs/0042/lock         held by the process that works on it, and free again when that dies
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sdmerge.errors import InputError
from sdmerge.jobs.model import (
    Failure,
    Job,
    Request,
    folder_name,
    job_data,
    number_of,
    read_job,
    read_request,
    request_data,
)
from sdmerge.written import written

_JOB, _REQUEST, _LOCK, _LAST = "job.json", "request.json", "lock", "last"
_POLL = 0.005
_PATIENCE = 60.0


class Runs:
    """Jobs as they lie on the disk. Any process and any thread may use one of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[int, tuple[tuple[int, int], Job]] = {}

    def run(self, number: int) -> Path:
        """The folder of a job."""
        return self.folder / folder_name(number)

    def create(self, request: Request, *, title: str = "", recipe: str = "") -> Job:
        """A queued job with a number that no job ever had. `recipe` is kept as its recipe.yaml."""
        with self.locked():
            number = self._next_number()
            run = self.run(number)
            filling = self.folder / f"{run.name}.new"
            shutil.rmtree(filling, ignore_errors=True)
            filling.mkdir()
            texts = _keep_recipes(filling, request, recipe)
            job = Job(
                number, run, request.kind, title or request.title, request.lane, "queued",
                created=time.time(), place=number,
            )  # fmt: skip
            _write(filling / _REQUEST, request_data(request, texts))
            _write(filling / _JOB, job_data(job))
            filling.rename(run)  # from now on it is there, whole
            return job

    def request(self, number: int) -> Request:
        """What a job does."""
        run = self.run(number)
        return read_request(_read(run / _REQUEST), run)

    def get(self, number: int) -> Job:
        """A job; an InputError if there is none of that number."""
        with self.locked():
            return self._settled(number)

    def all(self) -> list[Job]:
        """Every job, from the first to the last."""
        with self.locked():
            return [self._settled(number) for number in self._numbers()]

    def next_of(self, lane: str) -> Job | None:
        """The first that waits in a lane."""
        queue = self.queue(lane)
        return queue[0] if queue else None

    def queue(self, lane: str) -> list[Job]:
        """Those that wait in a lane, in their order."""
        waiting = [job for job in self.all() if job.state == "queued" and job.lane == lane]
        return sorted(waiting, key=lambda job: job.place)

    def change(self, number: int, **changes: Any) -> Job:
        """The job with other values."""
        with self.locked():
            return self._write(replace(self._settled(number), **changes))

    def change_if(self, number: int, states: tuple[str, ...], **changes: Any) -> Job | None:
        """The job with other values, if it is in one of these states now."""
        with self.locked():
            job = self._settled(number)
            return self._write(replace(job, **changes)) if job.state in states else None

    def swap(self, one: Job, other: Job) -> None:
        """Let two jobs that wait change places."""
        with self.locked():
            first, second = self._settled(one.number), self._settled(other.number)
            self._write(replace(first, place=second.place))
            self._write(replace(second, place=first.place))

    def forget(self, number: int) -> None:
        """Remove a job that is over, with all that lies in its folder; its number stays taken."""
        with self.locked():
            job = self._settled(number)
            if not job.over:
                raise InputError(f"run {number} is {job.state}", hint="Stop it first.")
            gone = self.folder / f"{job.run.name}.gone"
            shutil.rmtree(gone, ignore_errors=True)
            job.run.rename(gone)  # from now on it is not there, whole
            self._known.pop(number, None)
        shutil.rmtree(gone, ignore_errors=True)

    @contextlib.contextmanager
    def claimed(self, number: int) -> Generator[Job | None]:
        """A queued job for this process alone, running; None if it does not wait any more."""
        lock = self._lock_of(number)
        with self.locked():
            job = self._settled(number)
            if job.state == "queued":
                lock.acquire()
                job = self._write(
                    replace(
                        job, state="running", started=time.time(), ended=None, pid=os.getpid(),
                        attempts=job.attempts + 1, error=None, exit_code=None,
                    )
                )  # fmt: skip
                job.stop.unlink(missing_ok=True)
        if not lock.is_locked:
            yield None
            return
        try:
            yield job
        finally:
            lock.release()

    def is_held(self, number: int) -> bool:
        """Whether some process works on it."""
        with self.locked():
            return self._is_held(number)

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Nobody else reads or changes anything for a moment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / _LOCK, timeout=_PATIENCE, poll_interval=_POLL):
            yield

    def _settled(self, number: int) -> Job:
        """The job; one whose worker died is interrupted."""
        job = self._load(number)
        if job.state != "running" or self._is_held(number):
            return job
        failure = Failure(
            "the process that worked on it ended", where=f"run {number}",
            hint=f"`sdmerge runs retry {number}` goes on with it; {job.log} may say why.",
        )  # fmt: skip
        return self._write(
            replace(job, state="interrupted", ended=time.time(), pid=None, error=failure)
        )

    def _load(self, number: int) -> Job:
        path = self.run(number) / _JOB
        try:
            status = path.stat()
        except FileNotFoundError:
            hint = "`sdmerge runs ls` lists them."
            raise InputError(f"there is no run {number}", hint=hint) from None
        stamp = (status.st_mtime_ns, status.st_ino)
        known = self._known.get(number)
        if known is None or known[0] != stamp:
            known = stamp, read_job(_read(path), path.parent)
            self._known[number] = known
        return known[1]

    def _write(self, job: Job) -> Job:
        _write(job.run / _JOB, job_data(job))
        return job

    def _lock_of(self, number: int) -> FileLock:
        return FileLock(self.run(number) / _LOCK, timeout=_PATIENCE, poll_interval=_POLL)

    def _is_held(self, number: int) -> bool:
        lock = self._lock_of(number)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
        return False

    def _numbers(self) -> list[int]:
        found = (number_of(item.name) for item in self.folder.iterdir())
        return sorted(number for number in found if number is not None)

    def _next_number(self) -> int:
        counter = self.folder / _LAST
        last = int(counter.read_text("utf-8")) if counter.is_file() else 0
        number = max([last, *self._numbers()]) + 1
        with written(counter) as partial:
            partial.write_text(str(number), "utf-8")
        return number


def _keep_recipes(run: Path, request: Request, recipe: str) -> list[str]:
    """Write down the texts of the recipes; the names of the request's, in its order."""
    names: list[str] = []
    if recipe:
        (run / "recipe.yaml").write_text(recipe, "utf-8")
    for place, text in enumerate(request.recipes.values()):
        name = "recipe.yaml" if not recipe and not place else f"recipe-{place + 1}.yaml"
        (run / name).write_text(text, "utf-8")
        names.append(name)
    return names


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def _write(path: Path, data: Any) -> None:
    with written(path) as partial:
        partial.write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")
