"""`sdmerge runs ls` and `sdmerge runs show`: what was run, and what came of it."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

import click

from sdmerge.cli.main import Session, output_options

if TYPE_CHECKING:
    from sdmerge.jobs import Event, Job, Jobs


@click.command("ls")
@output_options
@click.pass_obj
def ls_command(session: Session) -> None:
    """List all runs, the newest first."""
    from sdmerge.jobs import Jobs

    jobs = Jobs(session.workspace)
    found = jobs.all()[::-1]
    told = {job.number: _progress(jobs, job) for job in found}
    rows = [
        (
            job.number, _when(job.created), job.kind, job.title, job.lane,
            told[job.number] or job.state,
        )
        for job in found
    ]  # fmt: skip
    if rows:
        session.output.table("", ("run", "when", "kind", "what", "on", "state"), rows)
    data = {"runs": [_data(jobs, job) for job in found]}
    text = "" if rows else "nothing was run yet; --background puts a command into the queue"
    session.output.result(data, text, quiet="\n".join(str(job.number) for job in found))


@click.command("show")
@click.argument("number", type=click.IntRange(1))
@output_options
@click.pass_obj
def show_command(session: Session, number: int) -> None:
    """Say what run NUMBER is: its command, its recipe, what came of it and what it is made of."""
    from sdmerge.jobs import Jobs
    from sdmerge.jobs.lineage import read_lineage

    jobs = Jobs(session.workspace)
    job = jobs.get(number)
    request, tree = jobs.asked(number), read_lineage(job)
    output = session.output
    state = _progress(jobs, job) or job.state
    output.note(f"# run {number}: {job.kind} {job.title}, {_when(job.created)}, {state}")
    command = shlex.join(["sdmerge", *request.arguments])
    output.note(f"# in {request.folder}: {command}")
    for path in job.results:
        output.note(f"# wrote {path}{'' if path.exists() else ' (removed)'}")
    if tree is not None:
        output.note("\n".join(f"# {line}" for line in tree.lines()))
    if job.error is not None:
        output.note(f"# {job.error}".replace("\n", "\n#"))
    recipe = job.recipe.read_text("utf-8") if job.recipe.is_file() else ""
    data = {
        **_data(jobs, job),
        "arguments": list(request.arguments),
        "working_folder": str(request.folder),
        "recipe": recipe,
        "lineage": list(tree.lines()) if tree else [],
    }
    output.result(data, recipe.rstrip(), quiet=job.state)


def _data(jobs: Jobs, job: Job) -> dict[str, Any]:
    from sdmerge.jobs.model import job_data

    event = jobs.progress(job.number) if job.state == "running" else None
    progress = {"progress": dict(event.data)} if event is not None else {}
    return {**job_data(job), "folder": str(job.run), **progress}


def _progress(jobs: Jobs, job: Job) -> str:
    """How far a run is that is under way, for people."""
    event: Event | None = jobs.progress(job.number) if job.state == "running" else None
    if event is None:
        return ""
    data = event.data
    share = f"{data['done'] / data['total']:.0%}" if data["total"] else ""
    left = f", {data['left']:.0f} s left" if data["left"] is not None else ""
    return f"{data['phase']} {share}{left}"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
