"""Jobs: submit, follow, reorder, stop; the one way in for the command line and the app.

    jobs = Jobs(find_workspace())
    job = jobs.submit(jobs.request("merge", "{run}/recipe.yaml", "-o", "ab/"), recipe=text)
    events, offset = jobs.events(job.number)            # and later: jobs.events(number, offset)
    preview = jobs.preview(Wish(recipe=text, shots=(("a castle", 0),)))

Every call may come from any process and any thread. Nothing here loads torch: workers do.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from multiprocessing import AuthenticationError
from pathlib import Path
from typing import Any

import psutil

from sdmerge.errors import Cancelled, InputError, ResourceError, SdmergeError
from sdmerge.jobs.events import Event, last_progress, read_events
from sdmerge.jobs.folder import Runs
from sdmerge.jobs.lanes import Lane
from sdmerge.jobs.model import HERE, Failure, Job, Request
from sdmerge.jobs.preview import Preview, Wish, read_preview, wish_data
from sdmerge.jobs.talk import Answer, Talk, ask, calling
from sdmerge.jobs.usage import Usage, usage_of
from sdmerge.recipe import Recipe, parse_recipe
from sdmerge.workspace import Workspace

_GONE = (OSError, EOFError, AuthenticationError)
_START = 60.0
_POLL = 0.01
_SPAWN_AGAIN = 5.0
_TRIES = 3
_KILL_AFTER = 3.0
_SOON = 0.5

_STOPPED: tuple[str, ...] = ("failed", "cancelled", "interrupted")


class Jobs:
    """The jobs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        # elsewhere paths start at other folders
        self.runs = Runs(workspace.runs.absolute())

    def request(
        self,
        *arguments: str,
        folder: Path | None = None,
        device: str = "cpu",
        plugins: tuple[Path, ...] = (),
        recipes: Mapping[Path, str] | None = None,
    ) -> Request:
        """A command line as a request: `merge`, `a.yaml`, …; see Request."""
        return Request(
            arguments, (folder or self.workspace.folder).absolute(),
            tuple(root.absolute() for root in self.workspace.roots), device,
            tuple(path.absolute() for path in plugins), recipes or {},
            tuple(path.absolute() for path in self.workspace.targets),
        )  # fmt: skip

    def submit(self, request: Request, *, title: str = "", recipe: str = "") -> Job:
        """Put a job into the queue; a worker starts on it at once if its lane is free.

        recipe: The text of a recipe that is kept in the job's folder, as `{run}/recipe.yaml`.
        """
        request.folder.mkdir(parents=True, exist_ok=True)
        job = self.runs.create(request, title=title, recipe=recipe)
        self.wake(job.lane)
        return job

    def all(self) -> list[Job]:
        """Every job, from the first to the last, as it is now."""
        return self.runs.all()

    def get(self, number: int) -> Job:
        """A job; an InputError if there is none of that number."""
        return self.runs.get(number)

    def asked(self, number: int) -> Request:
        """What a job does."""
        self.runs.get(number)
        return self.runs.request(number)

    def recipe(self, number: int) -> Recipe | None:
        """The recipe of a job, as it was; None if it has none, or has not yet come to it."""
        job = self.runs.get(number)
        if not job.recipe.is_file():
            return None
        request = self.runs.request(number)
        if any(HERE in word for word in request.arguments if word.endswith(job.recipe.name)):
            folder = job.run
        else:
            folder = next((path.parent for path in request.recipes), request.folder)
        return parse_recipe(job.recipe.read_text("utf-8"), str(job.recipe), folder)

    def events(self, number: int, after: int = 0) -> tuple[list[Event], int]:
        """What a job said behind the byte `after`, and where the next call goes on."""
        return read_events(self.runs.get(number).events, after)

    def progress(self, number: int) -> Event | None:
        """The last that a job said of how far it is."""
        return last_progress(self.runs.get(number).events)

    def result(self, number: int) -> Mapping[str, Any] | None:
        """What the command of a job gave, as `--json` prints it; None as long as there is none."""
        events, _ = self.events(number)
        found = [event.data["data"] for event in events if event.kind == "result"]
        return found[-1] if found else None

    def cancel(self, number: int) -> Job:
        """Ask a job to stop: between tensors, between steps of a picture. One that waits is over
        at once.
        """
        ended = {"ended": time.time(), "exit_code": Cancelled.exit_code}
        job = self.runs.change_if(number, ("queued",), state="cancelled", **ended)
        if job is None and (job := self.runs.get(number)).state == "running":
            job.stop.touch()
        return job

    def kill(self, number: int) -> Job:
        """End the process that works on a job. What is half written is no result."""
        job = self.runs.get(number)
        if job.state != "running" or job.pid is None:
            return self.cancel(number)
        _end(job.pid)
        while self.runs.is_held(number):
            time.sleep(_POLL)
        failure = Failure("its process was ended", where=f"run {number}")
        states = ("interrupted", "queued")
        killed = self.runs.change_if(
            number, states, state="cancelled", exit_code=Cancelled.exit_code, error=failure
        )
        self.wake(job.lane)
        return killed or self.runs.get(number)

    def retry(self, number: int) -> Job:
        """Do a job again that did not get to its end, or whose results were removed.

        A grid and a search go on where they were, a merge starts anew.
        """
        last = max((job.place for job in self.all()), default=0.0)
        job = self.runs.get(number)
        gone = not any(path.exists() for path in job.results)
        states = (*_STOPPED, "done") if gone else _STOPPED
        job = self.runs.change_if(number, states, state="queued", place=last + 1, error=None)
        if job is None:
            job = self.runs.get(number)
            hint = "`sdmerge runs show` tells its command, which can be given again."
            raise InputError(f"run {number} is {job.state}", hint=hint)
        self.wake(job.lane)
        return job

    def resume(self) -> list[Job]:
        """After a crash: take up again what was interrupted, and what waits.

        What ended its worker three times is left alone.
        """
        jobs = self.all()
        taken = [
            found for job in jobs
            if job.state == "interrupted" and job.attempts < _TRIES
            and (found := self.runs.change_if(job.number, ("interrupted",), state="queued"))
        ]  # fmt: skip
        for lane in {job.lane for job in [*jobs, *taken] if job.state == "queued"}:
            self.wake(lane)
        return taken

    def move(self, number: int, *, up: bool) -> Job:
        """Let a job that waits change places with the one before it, or after it."""
        job = self.runs.get(number)
        queue = [one.number for one in self.runs.queue(job.lane)]
        if number not in queue:
            raise InputError(f"run {number} does not wait", hint=f"It is {job.state}.")
        other = queue.index(number) + (-1 if up else 1)
        if 0 <= other < len(queue):
            self.runs.swap(job, self.runs.get(queue[other]))
        return self.runs.get(number)

    def star(self, number: int, *, starred: bool = True) -> Job:
        """Mark a job to find it again, or take the mark away."""
        return self.runs.change(number, starred=starred)

    def forget(self, number: int) -> None:
        """Remove a job from the history: its recipe, its log, and pictures in its folder.

        Models and folders that it wrote elsewhere stay. An InputError for one that is not over.
        """
        self.runs.forget(number)

    def preview(self, wish: Wish, *, device: str = "cpu") -> Preview:
        """What a recipe draws, before anything that waits and between the steps of what runs.

        Whatever is wrong with the wish is raised as the command line would; Cancelled if a newer
        one of its owner took its place.
        """
        wish = replace(wish, roots=wish.roots or self.request().roots)
        data, pictures = self._told(device, {"do": "preview", **wish_data(wish)})
        return read_preview(data, pictures)

    def warm(self, device: str = "cpu", wish: Wish | None = None) -> None:
        """Have a worker that is ready to draw; without one, the first preview waits for it.

        wish: Drawn for nobody, if its pipeline takes little of the memory that is free.
        """
        self._told(device, {"do": "warm", **(wish_data(wish) if wish else {})})

    def usage(self, device: str = "cpu") -> Usage:
        """How full this machine is, and the device if it is a GPU that a worker uses."""
        return usage_of(self.workspace.folder, self._gpu(device))

    def free_memory(self, device: str = "cpu") -> bool:
        """Give back the memory of the device's worker, which ends unless a job is at work.

        False if there was none, or if it keeps what its job needs.
        """
        address = Lane(self.runs.folder, device).address()
        try:
            with self._desk(device) as desk:
                data, _ = ask(desk, {"do": "free"})
        except _GONE:
            return False
        end = time.monotonic() + _SOON
        while data["ends"] and address is not None and address.alive:
            if time.monotonic() > end:  # it loads libraries, which does not let itself be stopped
                _end(address.pid)
            time.sleep(_POLL)
        return bool(data["ends"])

    def wake(self, lane: str) -> None:
        """See to it that somebody works in a lane."""
        try:
            with self._desk(lane) as connection:
                data, _ = ask(connection, {"do": "wake"})
                if not data.get("closing"):
                    return
        except _GONE:
            pass
        Lane(self.runs.folder, lane).start()

    def _gpu(self, device: str) -> tuple[int, int] | None:
        if not device.startswith("cuda"):
            return None
        try:
            with self._desk(device) as desk:
                data, _ = ask(desk, {"do": "usage"})
        except _GONE:
            return None
        return tuple(data["gpu"]) if data["gpu"] else None

    def _told(self, device: str, asked: Mapping[str, Any]) -> Answer:
        """What the device's worker answers; it is started if there is none."""
        lane, end, started = Lane(self.runs.folder, device), time.monotonic() + _START, 0.0
        while time.monotonic() < end:
            with contextlib.suppress(_NoWorker), self._desk(device) as desk:
                data, pieces = _answered(desk, asked, lane)
                if not data.get("closing"):
                    return data, pieces
            if time.monotonic() - started > _SPAWN_AGAIN:
                started = time.monotonic()
                lane.start()
            time.sleep(_POLL)
        hint = f"Look into {lane.log}."
        raise ResourceError(f"no worker for {device} could be started", hint=hint)

    @contextlib.contextmanager
    def _desk(self, lane: str) -> Generator[Talk]:
        address = Lane(self.runs.folder, lane).address()
        if address is None:
            raise _NoWorker
        with contextlib.ExitStack() as stack:
            try:
                desk = stack.enter_context(calling(address.port, bytes.fromhex(address.key)))
            except _GONE:  # it ends at this moment
                raise _NoWorker from None
            yield desk


class _NoWorker(OSError):
    """Nobody listens for a lane."""


def _answered(desk: Talk, asked: Mapping[str, Any], lane: Lane) -> Answer:
    try:
        data, pieces = ask(desk, asked)
    except _GONE:
        hint = f"It may have been too much for the memory; {lane.log} may say."
        raise ResourceError(f"the worker for {lane.name} ended", hint=hint) from None
    if error := data.get("error"):
        kinds = {one.exit_code: one for one in (SdmergeError, InputError, ResourceError, Cancelled)}
        raise kinds[error.pop("exit_code")](**error)
    return data, pieces


def _end(pid: int) -> None:
    """End a process and its children; those that do not listen are ended without being asked."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return
    for one in family:
        with contextlib.suppress(psutil.Error):
            one.terminate()
    _, alive = psutil.wait_procs(family, timeout=_KILL_AFTER)
    for one in alive:
        with contextlib.suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(alive, timeout=_KILL_AFTER)
