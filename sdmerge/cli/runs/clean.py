"""`sdmerge runs clean`: room on the disk, without losing anything that cannot be made again."""

from __future__ import annotations

import sys

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.errors import InputError


@click.command("clean")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@output_options
@click.pass_obj
def clean_command(session: Session, *, yes: bool, dry_run: bool) -> None:
    """Remove models of the workspace that `sdmerge runs retry` can make again; never a recipe.

    A model stays if it lies outside the workspace, was changed, lacks an input, or is itself an
    input of one that goes.
    """
    from sdmerge.jobs import Jobs
    from sdmerge.jobs.clean import removable, remove

    jobs = Jobs(session.workspace)
    found = removable(jobs.all(), session.workspace)
    total = sum(one.nbytes for one in found)
    rows = [(one.job.number, str(one.path), f"{one.nbytes / 1e9:.2f}") for one in found]
    if found:
        session.output.table("can be made again", ("run", "model", "GB"), rows)
    if found and not dry_run and not yes:
        if not sys.stdin.isatty():
            raise InputError("nobody is there to be asked", hint="Pass --yes, or --dry-run.")
        click.confirm(f"Remove {len(found)} models, {total / 1e9:.2f} GB?", abort=True, err=True)
    if not dry_run:
        for one in found:
            remove(one)
    words = "would free" if dry_run else "freed"
    session.output.result(
        {
            "removed": [] if dry_run else [str(one.path) for one in found],
            "removable": [str(one.path) for one in found],
            "bytes": total,
        },
        f"{words} {total / 1e9:.2f} GB" if found else "there is nothing that could be made again",
        quiet="\n".join(str(one.path) for one in found),
    )
