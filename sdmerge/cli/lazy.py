"""A group of commands whose modules are imported when they run, so that --help needs no torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from sdmerge.errors import nearest

Table = Mapping[str, tuple[str, str]]
"""Command → the module it is in and what it does. `merge` is that module's `merge_command`."""


class LazyGroup(click.Group):
    """The commands of a table, in its order."""

    def __init__(self, *args: Any, package: str, table: Table, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._package, self._table = package, table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        module = importlib.import_module(f"{self._package}.{self._table[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        # docstrings are raw, and click's mark for lines that stay lines is a backspace
        command.help = (command.help or "").replace("\\b", "\b")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._table and not args[0].startswith("-"):
            hint = nearest(args[0], self._table) or f"One of: {', '.join(self._table)}."
            raise click.UsageError(f"there is no command '{args[0]}'. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._table.items()])
