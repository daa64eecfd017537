"""Output: data on stdout, talk on stderr, in the form that was asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

Mode = Literal["human", "json", "quiet"]
Advance = Callable[..., None]
"""Takes what is done and what there is in all, in bytes or pieces, and what is being done if it is
not always the same."""

_SECONDS_BETWEEN_LINES = 2.0
_UNBROKEN = 14


@dataclass
class Output:
    """Prints results. JSON mode prints one object, quiet mode the bare essentials."""

    mode: Mode = "human"

    def __post_init__(self) -> None:
        # paths and prompts are shown as they are, with no :name: turned into a picture
        self._data = Console(soft_wrap=True, highlight=False, emoji=False)
        self._talk = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
        self._answered = False

    def result(self, data: Mapping[str, Any], text: str = "", *, quiet: str = "") -> None:
        """The command's result: `data` as JSON, `text` for people, `quiet` for scripts."""
        if self.mode == "json":
            self._print_json(data)
        elif self.mode == "quiet":
            if quiet:
                print(quiet)  # noqa: T201
        elif text:
            self._data.print(text, markup=False)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table for people; the same data goes to JSON through `result`."""
        if self.mode != "human":
            return
        table = Table(title=escape(title) if title else None, title_justify="left", box=None)
        for place, column in enumerate(columns):
            # a narrow terminal breaks titles before it breaks names and numbers
            longest = max((len(str(row[place])) for row in rows), default=0)
            table.add_column(column, overflow="fold", min_width=min(longest, _UNBROKEN))
        for row in rows:
            table.add_row(*(escape(str(cell)) for cell in row))
        self._data.print(table)

    def text(self, text: str) -> None:
        """Data that is text in itself, such as a recipe."""
        if self.mode == "human":
            self._data.print(text, markup=False)

    def note(self, text: str) -> None:
        """Talk: what a person should know, and a script need not."""
        if self.mode != "quiet":
            self._talk.print(text, markup=False)

    def error(self, text: str) -> None:
        """An error, for people and for whoever reads JSON."""
        if self.mode == "json" and not self._answered:
            self._print_json({"error": text})
        self._talk.print(f"[red]error[/red] {escape(text)}")

    def _print_json(self, data: Mapping[str, Any]) -> None:
        """One object per command: what comes after it goes to stderr alone."""
        print(json.dumps(data, ensure_ascii=False, indent=1, default=str))  # noqa: T201
        self._answered = True

    @contextmanager
    def progress(self, what: str, *, pieces: str = "") -> Generator[Advance]:
        """Progress on stderr with rate and time left: a bar on a terminal, else a line at times.

        It counts bytes, or `pieces` of that name.
        """
        if self.mode == "quiet":
            yield _silent
        elif self._talk.is_terminal:
            with self._bar(pieces) as bar:
                task = bar.add_task(what, total=None)

                def advance(done: int, total: int, now: str = what) -> None:
                    bar.update(task, description=now, completed=done, total=total)

                yield advance
        else:
            yield self._lines(what, pieces)

    def _bar(self, pieces: str) -> Progress:
        counted: tuple[ProgressColumn, ...] = (
            (MofNCompleteColumn(), TextColumn(pieces))
            if pieces
            else (DownloadColumn(), TransferSpeedColumn())
        )
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *counted,
            TimeRemainingColumn(),
            console=self._talk,
        )

    def _lines(self, what: str, pieces: str) -> Advance:
        begin = last = 0.0
        at, ended = what, ""

        def advance(done: int, total: int, what: str = what) -> None:
            nonlocal begin, last, at, ended
            now = time.monotonic()
            begin = now if what != at else begin or now
            at = what
            last = last or now
            if done == total and ended == what:
                return  # an end is said once
            if now - last < _SECONDS_BETWEEN_LINES and done < total:
                return
            last, ended = now, what if done == total else ""
            rate = done / max(now - begin, 1e-9)
            left = (total - done) / rate if rate else 0.0
            if pieces:
                self.note(f"{what}: {done} of {total} {pieces}, {left:.0f} s left")
                return
            size = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
            self.note(f"{what}: {size}, {rate / 1e6:,.0f} MB/s, {left:.0f} s left")

        return advance


def _silent(*_: object) -> None:
    """Progress that nobody wants to see."""
