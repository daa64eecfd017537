"""`sdmerge study`: what is done with the studies that `sdmerge evolve` writes."""

from __future__ import annotations

import click

from sdmerge.cli.lazy import LazyGroup
from sdmerge.cli.main import output_options

COMMANDS = {
    "show": ("show", "Say what was compared, where the search is, and what it warns of."),
    "best": ("best", "Print the winner as a recipe."),
    "export": ("export", "Test the winner once, write it as recipe and model, and a report."),
    "add": ("adding", "Judge a recipe of your own beside the next candidates."),
    "ask": ("asking", "Write the candidates that wait for a judgement as recipes."),
    "tell": ("asking", "Say what became of them."),
}


@click.group(cls=LazyGroup, package="sdmerge.cli.study", table=COMMANDS)
@output_options
def study_command() -> None:
    """Look at a study and work on it."""
