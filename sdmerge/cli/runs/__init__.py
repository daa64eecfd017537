"""`sdmerge runs`: what was run, what runs, and what waits."""

from __future__ import annotations

import click

from sdmerge.cli.lazy import LazyGroup
from sdmerge.cli.main import output_options

COMMANDS = {
    "ls": ("look", "List runs with their state and progress."),
    "show": ("look", "Say what a run is, what came of it, and where its model comes from."),
    "attach": ("attach", "Follow a run as if it ran here."),
    "cancel": ("control", "Ask runs to stop; --kill ends their processes."),
    "retry": ("control", "Go on with runs that did not get to their end."),
    "move": ("control", "Change the order of runs that wait."),
    "forget": ("control", "Remove runs from the history, with their recipes and pictures."),
    "free": ("control", "Give back the memory that a worker keeps for the next picture."),
    "clean": ("clean", "Remove models that a recipe can make again."),
}


@click.group(cls=LazyGroup, package="sdmerge.cli.runs", table=COMMANDS)
@output_options
def runs_command() -> None:
    """Look at runs: commands that were given with --background, or in the app."""
