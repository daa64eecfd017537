"""`sdmerge runs cancel`, `retry`, `move`, `forget` and `free`: what a person decides about runs."""

from __future__ import annotations

import click

from sdmerge.cli.main import Session, output_options


@click.command("cancel")
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1))
@click.option("--kill", is_flag=True, help="End their processes, if they do not stop.")
@output_options
@click.pass_obj
def cancel_command(session: Session, numbers: tuple[int, ...], *, kill: bool) -> None:
    """Stop runs between tensors or steps of a picture. What a grid has drawn stays."""
    from sdmerge.jobs import Jobs

    jobs = Jobs(session.workspace)
    found = [jobs.kill(number) if kill else jobs.cancel(number) for number in numbers]
    words = {"running": "is asked to stop"}
    told = [f"run {job.number} {words.get(job.state, f'is {job.state}')}" for job in found]
    data = {"runs": [{"run": job.number, "state": job.state} for job in found]}
    session.output.result(data, "\n".join(told))


@click.command("retry")
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1))
@output_options
@click.pass_obj
def retry_command(session: Session, numbers: tuple[int, ...]) -> None:
    """Go on with runs that failed or were stopped: what a grid has drawn is not drawn again."""
    from sdmerge.jobs import Jobs

    jobs = Jobs(session.workspace)
    found = [jobs.retry(number) for number in numbers]
    data = {"runs": [{"run": job.number, "state": job.state} for job in found]}
    session.output.result(data, "\n".join(f"run {job.number} is in the queue" for job in found))


@click.command("move")
@click.argument("number", type=click.IntRange(1))
@click.argument("direction", type=click.Choice(["up", "down"]))
@output_options
@click.pass_obj
def move_command(session: Session, number: int, direction: str) -> None:
    """Let a run that waits change places with the one before it, or after it."""
    from sdmerge.jobs import Jobs

    jobs = Jobs(session.workspace)
    lane = jobs.move(number, up=direction == "up").lane
    queue = [job.number for job in jobs.runs.queue(lane)]
    session.output.result({"queue": queue}, f"in this order: {', '.join(map(str, queue))}")


@click.command("forget")
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1))
@output_options
@click.pass_obj
def forget_command(session: Session, numbers: tuple[int, ...]) -> None:
    """Remove runs that are over: recipe, log and pictures. Models that they wrote stay."""
    from sdmerge.jobs import Jobs

    jobs = Jobs(session.workspace)
    for number in numbers:
        jobs.forget(number)
    text = "\n".join(f"run {number} is forgotten" for number in numbers)
    session.output.result({"forgotten": list(numbers)}, text)


@click.command("free")
@output_options
@click.pass_obj
def free_command(session: Session) -> None:
    """Give back the memory that the worker of --device keeps for the next picture."""
    from sdmerge.jobs import Jobs

    freed = Jobs(session.workspace).free_memory(session.device)
    text = "its worker has ended" if freed else "no worker could end: none runs, or it is at work"
    session.output.result({"freed": freed}, f"{session.device}: {text}")
