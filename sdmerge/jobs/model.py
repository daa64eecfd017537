"""What a job is: a command that is run later, by another process, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

HERE = "{run}"
"""In a job's arguments: the job's own folder."""

GROUPS = ("lora", "embedding")
"""Commands whose first word is only half of their name."""

RESIDENT = ("sample", "grid", "score")
"""What draws with the pipeline that a worker keeps; everything else has a process of its own."""

ON_DEVICE = (*RESIDENT, "evolve", "lora-ziplora")
"""What waits for the device that pictures are drawn on; everything else works on the CPU."""

TARGETS = ("-o", "--output")
"""Options that name what is written."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to do: a command line of `sdmerge`, and where it is given.

    arguments: The command and what follows it; `{run}` stands for the job's folder.
    folder: The working folder that relative paths start at.
    roots: Folders in which models are looked for, after the workspace's.
    targets: Those of them that may be written into.
    recipes: Recipe files among the arguments, by their absolute path, with the text they had. The
        job runs by that text, whatever becomes of the file.
    """

    arguments: tuple[str, ...]
    folder: Path
    roots: tuple[Path, ...] = ()
    device: str = "cpu"
    plugins: tuple[Path, ...] = ()
    recipes: Mapping[Path, str] = field(default_factory=dict[Path, str])
    targets: tuple[Path, ...] = ()

    @property
    def kind(self) -> str:
        """The command in one word: merge, grid, lora-extract."""
        words = 2 if self.arguments[:1] and self.arguments[0] in GROUPS else 1
        return "-".join(self.arguments[:words])

    @property
    def resident(self) -> bool:
        """Whether the device's worker runs it itself. Plug-ins leave no trace in that process."""
        return self.kind in RESIDENT and not self.plugins

    @property
    def lane(self) -> str:
        """The device that it waits for."""
        return self.device if self.kind in ON_DEVICE else "cpu"

    @property
    def title(self) -> str:
        """A name for people: that of what it writes, else of what it begins with."""
        for place, word in enumerate(self.arguments[:-1]):
            if word in TARGETS and HERE not in self.arguments[place + 1]:
                return Path(self.arguments[place + 1]).name
        words = [word for word in self.arguments[1:] if not word.startswith("-")]
        return Path(words[0].rstrip("/\\")).stem if words else self.kind

    def command_line(self, workspace: Path, run: Path) -> list[str]:
        """The whole command line of `sdmerge`, for the job whose folder is `run`."""
        options = ["--workspace", str(workspace), "--device", self.device]
        for root in self.roots:
            options += ["--models", str(root)]
        for target in self.targets:
            options += ["--save-to", str(target)]
        for plugin in self.plugins:
            options += ["--plugin", str(plugin)]
        return [*options, *(word.replace(HERE, str(run)) for word in self.arguments)]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: what, where, and what to do about it."""

    what: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.hint}" if self.hint else head


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is at the moment. Times are seconds since 1970.

    place: Its place in the queue of its lane; the smallest is next.
    attempts: How often it was begun.
    results: Files and folders that it wrote.
    hashes: The sha256 of each model file that it wrote; merges record those of their inputs.
    starred: Whether somebody marked it to find it again.
    """

    number: int
    run: Path
    kind: str
    title: str
    lane: str
    state: State
    created: float
    place: float
    attempts: int = 0
    started: float | None = None
    ended: float | None = None
    pid: int | None = None
    exit_code: int | None = None
    error: Failure | None = None
    results: tuple[Path, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict[str, str])
    starred: bool = False

    @property
    def over(self) -> bool:
        """Whether nobody works on it, and nobody will."""
        return self.state not in ("queued", "running")

    @property
    def events(self) -> Path:
        """What it says as it goes."""
        return self.run / "events.jsonl"

    @property
    def log(self) -> Path:
        """What libraries print, and tracebacks."""
        return self.run / "log.txt"

    @property
    def recipe(self) -> Path:
        """The recipe as it was when the job was submitted; not every job has one."""
        return self.run / "recipe.yaml"

    @property
    def stop(self) -> Path:
        """The file that asks it to stop."""
        return self.run / "cancel"


def job_data(job: Job) -> dict[str, Any]:
    """A job as JSON; its number and its folder are where it lies."""
    failure = job.error and {
        "what": job.error.what, "where": job.error.where, "hint": job.error.hint
    }  # fmt: skip
    return {
        "number": job.number, "kind": job.kind, "title": job.title, "lane": job.lane,
        "state": job.state, "created": job.created, "place": job.place, "attempts": job.attempts,
        "started": job.started, "ended": job.ended, "pid": job.pid, "exit_code": job.exit_code,
        "error": failure, "results": [str(path) for path in job.results],
        "hashes": dict(job.hashes), "starred": job.starred,
    }  # fmt: skip


def read_job(data: Mapping[str, Any], run: Path) -> Job:
    """The job that `job_data` wrote, in the folder `run`."""
    error = data["error"]
    values: dict[str, Any] = {
        **data,
        "run": run,
        "error": Failure(**error) if error else None,
        "results": tuple(Path(path) for path in data["results"]),
    }
    return Job(**values)


def request_data(request: Request, texts: Sequence[str]) -> dict[str, Any]:
    """A request as JSON; `texts` are the names of the files that keep its recipes."""
    return {
        "arguments": list(request.arguments),
        "folder": str(request.folder),
        "roots": [str(root) for root in request.roots],
        "device": request.device,
        "plugins": [str(path) for path in request.plugins],
        "recipes": dict(zip(map(str, request.recipes), texts, strict=True)),
        "targets": [str(path) for path in request.targets],
    }


def read_request(data: Mapping[str, Any], run: Path) -> Request:
    """The request that `request_data` wrote, with its recipes' texts."""
    return Request(
        tuple(data["arguments"]),
        Path(data["folder"]),
        tuple(Path(root) for root in data["roots"]),
        data["device"],
        tuple(Path(path) for path in data["plugins"]),
        {Path(path): (run / name).read_text("utf-8") for path, name in data["recipes"].items()},
        tuple(Path(path) for path in data.get("targets", ())),
    )


def folder_name(number: int) -> str:
    """The name of the folder of a job."""
    return f"{number:04}"


def number_of(name: str) -> int | None:
    """The number in a folder's name, if it is a job's."""
    return int(name) if re.fullmatch(r"\d{4,}", name) else None
