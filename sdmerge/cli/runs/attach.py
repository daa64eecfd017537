"""`sdmerge runs attach`: a run, followed as if it ran here."""

from __future__ import annotations

import time
from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.runs.recorder import Replay
from sdmerge.errors import Cancelled, ResourceError

_LOOK, _WAKE = 0.05, 5.0


@click.command("attach")
@click.argument("number", type=click.IntRange(1))
@output_options
@click.pass_obj
def attach_command(session: Session, number: int) -> int:
    r"""Follow run NUMBER: its progress, its result, its exit code. ctrl-C ends only the following.

    \b
    sdmerge runs attach $(sdmerge merge recipe.yaml -o ab/ --background -q)
    """
    from sdmerge.jobs import Jobs

    jobs = Jobs(session.workspace)
    try:
        job = _follow(jobs, number, Replay(session.output))
    except KeyboardInterrupt:
        hint = f"`sdmerge runs cancel {number}` stops it."
        raise Cancelled(f"not followed any more; run {number} goes on", hint=hint) from None
    if job.error is not None:
        session.output.error(str(job.error))
    elif job.state == "cancelled":
        session.output.error(f"run {number} was taken out of the queue")
    return ResourceError.exit_code if job.exit_code is None else job.exit_code


def _follow(jobs: Any, number: int, replay: Replay) -> Any:
    """Say what the run says until it is over; the job as it then is."""
    events, offset = jobs.events(number)
    begun = max((place for place, one in enumerate(events) if one.kind == "begin"), default=0)
    events = events[begun:]  # what earlier attempts said is not news
    woken = 0.0
    try:
        while True:
            over = (job := jobs.get(number)).over
            if job.state == "queued" and time.monotonic() - woken > _WAKE:
                jobs.wake(job.lane)
                woken = time.monotonic()
            for event in events:
                replay.say(event)
            events, offset = jobs.events(number, offset)
            if over and not events:
                return job
            if not events:
                time.sleep(_LOOK)
    finally:
        replay.close()
