"""Worker: works in a lane as long as there is something to do, and hears who asks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from sdmerge.errors import SdmergeError
from sdmerge.jobs.folder import Runs
from sdmerge.jobs.lanes import Lane, start_process
from sdmerge.jobs.model import ON_DEVICE, Failure, Job
from sdmerge.jobs.preview import Wish, preview_data, read_wish
from sdmerge.jobs.talk import Answer, Desk
from sdmerge.jobs.turns import Turns
from sdmerge.workspace import Workspace

if TYPE_CHECKING:
    from sdmerge.jobs.studio import Studio

IDLE = 300.0
"""Seconds without anything to do after which a worker ends."""

_ORPHAN = 0.5

Perform = Callable[[Runs, int, "Studio"], None]
"""Does a job in this process, with the pipeline that stays."""

Explain = Callable[[Exception], SdmergeError]
"""Turns whatever goes wrong into an error of ours."""


class Worker:
    """Does the jobs of a lane one after the other, and draws previews beside.

    perform: Does what draws, here. Every other job has a process of its own, so that its memory
        is given back with it.
    explain: Says what went wrong with a preview.
    """

    def __init__(
        self, runs: Path, lane: str, perform: Perform, explain: Explain, *, idle: float = IDLE
    ) -> None:
        self._runs, self._lane = Runs(runs), Lane(runs, lane)
        self._perform, self._explain, self._idle = perform, explain, idle
        self._turns = Turns()
        self._change = threading.Condition()
        self._woken = True
        self._busy = 0
        self._warming = 0
        self._at_work = False
        self._ending = False
        self._quiet_since = time.monotonic()
        self._loading = threading.Lock()
        self._studio: Studio | None = None
        self._wishes: dict[str, threading.Event] = {}

    def work(self) -> None:
        """Until nothing was asked for a while. Returns at once where another one works."""
        while self._runs.queue(self._lane.name) or self._woken:
            try:
                lock = self._lane.lock.acquire()
            except Timeout:
                return
            with lock:
                desk = Desk(self._lane, self._answer)
                try:
                    while self._go_on():
                        self._next_job()
                finally:
                    desk.close()
            # what was submitted while this one ended found the lane taken
            self._woken, self._ending = False, False

    def _go_on(self) -> bool:
        """Whether there is, or comes in time, something to do."""
        with self._change:
            while not self._woken and not self._ending:
                left = self._quiet_since + self._idle - time.monotonic()
                self._ending = left <= 0 and not self._busy
                self._change.wait(max(left, 0.0) if not self._busy else None)
            self._woken = False
            return not self._ending

    def _next_job(self) -> None:
        """Do the first that waits, if any does."""
        job = self._runs.next_of(self._lane.name)
        if job is None:
            return
        self._wait_for_orphans()
        self._at_work = True
        if self._runs.request(job.number).resident:
            with self._turns.job():
                self._perform(self._runs, job.number, self._use_studio())
        else:
            self._apart(job)
        with self._change:
            self._at_work = False
            self._woken, self._quiet_since = True, time.monotonic()

    def _apart(self, job: Job) -> None:
        """Do a job in a process of its own."""
        if job.kind in ON_DEVICE and self._studio is not None:
            self._studio.free()
        with start_process([str(self._runs.folder), "--run", str(job.number)], job.log) as process:
            process.wait()
        failure = Failure(
            "its process could not begin", where=f"run {job.number}", hint=f"Look into {job.log}."
        )
        self._runs.change_if(job.number, ("queued",), state="failed", exit_code=1, error=failure)

    def _wait_for_orphans(self) -> None:
        """A worker that was killed may have left a process that still works in this lane."""
        while any(
            job.state == "running" and job.lane == self._lane.name for job in self._runs.all()
        ):
            time.sleep(_ORPHAN)

    def _answer(self, asked: Mapping[str, Any]) -> Answer:
        if asked["do"] == "usage":  # looking on is no reason to stay
            return {"gpu": self._gpu()}, ()
        with self._change:
            if self._ending:
                return {"closing": True}, ()
            self._busy += 1
        try:
            match asked["do"]:
                case "preview":
                    return self._preview(asked)
                case "warm":
                    return self._warm(asked)
                case "free":
                    return {"ends": self._free()}, ()
                case _:
                    return self._wake(), ()
        except Exception as error:
            raise self._explain(error) from error
        finally:
            with self._change:
                self._busy -= 1
                self._quiet_since = time.monotonic()
                self._change.notify_all()

    def _wake(self) -> dict[str, Any]:
        with self._change:
            self._woken = True
            self._change.notify_all()
        return {}

    def _free(self) -> bool:
        """End, unless a job is at work; one that draws keeps its pipeline, and nothing else."""
        with self._change:
            needed = self._at_work or self._busy - self._warming > 1
            self._ending = not needed
            self._change.notify_all()
        if needed and self._studio is not None:
            if self._turns.held:
                self._studio.live.free()
            else:
                self._studio.free()
        return not needed

    def _warm(self, asked: Mapping[str, Any]) -> Answer:
        """Get ready; nobody waits for that, so it may be ended half-way."""
        wish = read_wish(asked) if "recipe" in asked else None
        with self._change:
            self._warming += 1
        try:
            self._use_studio().warm(wish, self._workspace(wish))
        finally:
            with self._change:
                self._warming -= 1
        return {}, ()

    def _gpu(self) -> tuple[int, int] | None:
        """Bytes in use and in all on the lane's GPU; None where there is none, or not yet."""
        return None if self._studio is None else self._studio.gpu()

    def _workspace(self, wish: Wish | None) -> Workspace:
        return Workspace(self._runs.folder.parent, wish.roots if wish else ())

    def _preview(self, asked: Mapping[str, Any]) -> Answer:
        wish = read_wish(asked)
        cancel = threading.Event()
        with self._change:
            if wish.owner:
                self._wishes.pop(wish.owner, threading.Event()).set()
                self._wishes[wish.owner] = cancel
        try:
            preview = self._use_studio().preview(wish, self._workspace(wish), cancel)
        finally:
            with self._change:
                if self._wishes.get(wish.owner) is cancel:
                    del self._wishes[wish.owner]
        return preview_data(preview), preview.pictures

    def _use_studio(self) -> Studio:
        with self._loading:  # takes seconds, in which others are answered
            if self._studio is None:
                from sdmerge.jobs.studio import Studio

                self._studio = Studio(self._lane.name, self._turns)
            return self._studio
