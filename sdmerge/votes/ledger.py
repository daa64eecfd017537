"""votes.jsonl: a line per vote or per vote taken back; nothing is ever changed or removed.

{"id": "9f…", "left": CELL, "right": CELL, "choice": "left|right|tie|bad", "at": "2026-…Z"}
{"undo": "9f…", "at": "2026-…Z"}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sdmerge import jsonl
from sdmerge.errors import InputError
from sdmerge.sample.grid import VOTES, read_cells

Choice = Literal["left", "right", "tie", "bad"]
_ID = re.compile(r"[0-9a-f]{8,64}")
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer: which of two cells is better. "bad" says that neither is good."""

    id: str
    left: str
    right: str
    choice: Choice


def read_votes(folder: Path) -> tuple[Vote, ...]:
    """The votes of the grid in `folder` that were not taken back, in their order."""
    lines = read_lines(folder / VOTES)
    undone = {line.get("undo") for line in lines}
    return tuple(
        Vote(line["id"], line["left"], line["right"], line["choice"])
        for line in lines
        if "id" in line and line["id"] not in undone
    )


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Every line of a file of votes, checked."""
    return [checked(entry, f"{path}:{number}") for number, entry in jsonl.read(path)]


def add_votes(folder: Path, lines: Iterable[Mapping[str, Any]], where: str) -> int:
    """Add lines that are not there yet to the grid's votes; how many there were.

    A line of a cell that the grid does not have is an InputError, and nothing is added.
    """
    known = {_key(line) for line in read_lines(folder / VOTES)}
    cells = read_cells(folder)
    new: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        entry = checked(line, where)
        named = [entry[side] for side in ("left", "right") if side in entry]
        unknown = [name for name in named if name not in cells]
        if unknown:
            hint = "Votes belong to the grid that they were cast on."
            raise InputError(f"the grid has no cell {unknown[0]}", where=where, hint=hint)
        if _key(entry) not in known:
            new[_key(entry)] = entry
    if new:
        jsonl.append(folder / VOTES, *new.values())
    return len(new)


def checked(line: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A line with what belongs there and nothing else; an InputError if it is no vote."""
    names = ("undo", "at") if "undo" in line else ("id", "left", "right", "choice", "at")
    entry = {name: line.get(name) for name in names}
    texts = all(isinstance(value, str) and len(value) <= _LONGEST for value in entry.values())
    if not texts or not _ID.fullmatch(str(entry.get("id", entry.get("undo")))):
        raise InputError("this is not a vote", where=where)
    if "undo" not in entry and (
        entry["choice"] not in get_args(Choice) or entry["left"] == entry["right"]
    ):
        raise InputError("this is not a vote between two cells", where=where)
    return entry


def _key(line: Mapping[str, Any]) -> str:
    return f"undo {line['undo']}" if "undo" in line else line["id"]
