"""`--background`: the command as a job, for a worker process to run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdmerge.cli.main import Session
from sdmerge.cli.recipes import is_recipe
from sdmerge.recipe import load_recipe

if TYPE_CHECKING:
    from sdmerge.jobs import Job

_FLAG = "--background"


def background_flag(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--background` alone, for a command that sees to it itself."""
    text = "Put it into the queue, and print the number that `sdmerge runs attach` follows."
    return click.option(_FLAG, is_flag=True, help=text)(command)


def background_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--background`: it is submitted as it was given, and not run here."""

    @functools.wraps(command)
    def submitted_or_run(*arguments: Any, background: bool, **options: Any) -> Any:
        if not background:
            return command(*arguments, **options)
        session = click.get_current_context().find_object(Session)
        assert session is not None
        return submit_this(session, options.get("settings", ()))

    return background_flag(submitted_or_run)


def submit_this(session: Session, settings: Sequence[str]) -> None:
    """Put the command that was given into the queue."""
    words = [word for word in session.arguments if word != _FLAG]
    for word in filter(is_recipe, words):
        load_recipe(Path(word).resolve(), settings)  # what is wrong with it is said now
    job = submitted(session, words)
    text = f"run {job.number} is in the queue; `sdmerge runs attach {job.number}` follows it"
    session.output.result({"run": job.number, "folder": str(job.run)}, text, quiet=str(job.number))


def submitted(session: Session, words: Sequence[str]) -> Job:
    """The job of a command line, with the texts that its recipe files have now."""
    from sdmerge.jobs import Jobs

    files = [Path(word).resolve() for word in words if is_recipe(word)]
    jobs = Jobs(session.workspace)
    request = jobs.request(
        *words, folder=Path.cwd(), device=session.device, plugins=session.plugins,
        recipes={file: file.read_text("utf-8") for file in files},
    )  # fmt: skip
    return jobs.submit(request)
