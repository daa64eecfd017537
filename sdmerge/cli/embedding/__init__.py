"""`sdmerge embedding`: what is done with textual inversions."""

from __future__ import annotations

import click

from sdmerge.cli.lazy import LazyGroup
from sdmerge.cli.main import output_options

COMMANDS = {"merge": ("merge", "Put textual inversions one after the other, or average them.")}


@click.group(cls=LazyGroup, package="sdmerge.cli.embedding", table=COMMANDS)
@output_options
def embedding_command() -> None:
    """Work on textual inversions."""
