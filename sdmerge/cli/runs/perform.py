"""A job, done: its command line run in this process, what it says kept, what came of it noted."""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdmerge.cli.explain import explained
from sdmerge.cli.main import EXPECTED, Session, call
from sdmerge.cli.runs.recorder import Recorder
from sdmerge.errors import Cancelled, SdmergeError
from sdmerge.jobs.events import Log
from sdmerge.jobs.folder import Runs
from sdmerge.jobs.lineage import keep_lineage
from sdmerge.jobs.model import Failure
from sdmerge.recipe import Recipe, to_yaml
from sdmerge.workspace import Workspace

if TYPE_CHECKING:
    from sdmerge.jobs.studio import Studio

_LOOK = 0.1


def perform(runs: Runs, number: int, studio: Studio | None = None) -> None:
    """Do a job that waits; nothing if it does not. Whatever goes wrong is noted with the job.

    studio: What stays in this process. Without it, the process is the job's own.
    """
    with runs.claimed(number) as job:
        if job is None:
            return
        request = runs.request(number)
        log = Log(job.events)
        log.say("begin", attempt=job.attempts)
        output = Recorder(log)
        session = Session(
            output=output, studio=studio, recipes=request.recipes, again=job.attempts > 1,
            planned=functools.partial(_keep_recipe, job.recipe),
        )  # fmt: skip
        workspace = Workspace(runs.folder.parent, request.roots)
        stop = _thread.interrupt_main if studio is None else session.cancel.set
        error = None
        with _printed(job.log):
            try:
                with _standing(request.folder), _watched(job.stop, stop):
                    code = call(request.command_line(workspace.folder, job.run), session)
            except (Exception, KeyboardInterrupt) as raised:  # noqa: BLE001 - it is told
                error = explained(raised)
                code = error.exit_code
                if error is not raised and not isinstance(raised, EXPECTED):
                    traceback.print_exc()
            changes = _outcome(code, error)
            if code == 0:
                hashes = _hashes(output.results, workspace)
                changes |= {"results": tuple(output.results), "hashes": hashes}
                if hashes:
                    done = replace(job, hashes=hashes)
                    keep_lineage(done, output.results[0], runs.all())
        if error is not None:
            log.say("error", what=error.what, where=error.where, hint=error.hint)
        runs.change(number, ended=time.time(), pid=None, **changes)
        log.say("end", state=changes["state"], exit_code=code)


def _outcome(code: int, error: SdmergeError | None) -> dict[str, Any]:
    """State, exit code and error of a command that has ended."""
    if error is None:
        return {"state": "failed" if code else "done", "exit_code": code, "error": None}
    state = "cancelled" if isinstance(error, Cancelled) else "failed"
    failure = Failure(error.what, error.where, error.hint)
    return {"state": state, "exit_code": code, "error": failure}


def _keep_recipe(path: Path, recipe: Recipe) -> None:
    """The first recipe that is planned is the job's, where it was given none as a file."""
    if not path.exists():
        path.write_text(to_yaml(recipe), "utf-8")


def _hashes(results: list[Path], workspace: Workspace) -> Mapping[str, str]:
    """The hashes of the model files among the results: lineage is found by them."""
    files: list[Path] = []
    for path in results:
        inside = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
        files += [file for file in inside if file.suffix == ".safetensors" and file.is_file()]
    if not files:
        return {}
    from sdmerge.tensors.content import sha256_of

    return {str(file): sha256_of(file, workspace.hashes) for file in files}


@contextlib.contextmanager
def _watched(sign: Path, stop: Callable[[], object]) -> Generator[None]:
    """`stop` is called once if the file `sign` appears meanwhile."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK):
            if sign.exists():
                stop()
                return

    watcher = threading.Thread(target=watch, daemon=True, name="sdmerge-cancel")
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@contextlib.contextmanager
def _standing(folder: Path) -> Generator[None]:
    """With `folder` as the working one."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _printed(log: Path) -> Generator[None]:
    """What libraries print goes to `log`."""
    with (
        log.open("a", encoding="utf-8", buffering=1) as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        yield
