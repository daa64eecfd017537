"""Lines of JSON that only ever grow: a run that was killed leaves at most half a last line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sdmerge.errors import CorruptFile
from sdmerge.locked import locked


def append(path: Path, *entries: Mapping[str, Any], sync: bool = True) -> None:
    """Add a line per entry, whoever else does at the same time. Half a line of a dead run goes.

    The lines outlive this process; with `sync` they and all before are on the disk when this
    returns, so that they outlive a power cut as well.
    """
    lines = "".join(
        json.dumps(entry, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
        for entry in entries
    )
    with path.open("ab") as file, locked(file):
        # nobody else is writing now, so half a line is a dead run's
        _drop_half_line(path)
        file.write(lines.encode())
        file.flush()
        if sync:
            os.fsync(file.fileno())


class Read(NamedTuple):
    """How far a file was read."""

    bytes: int = 0
    lines: int = 0


_START = Read()


def read(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and content of every whole line; nothing if there is no file."""
    yield from read_on(path)[0]


def read_on(path: Path, after: Read = _START) -> tuple[list[tuple[int, dict[str, Any]]], Read]:
    """The whole lines behind `after`, and how far the file is read now."""
    try:
        with path.open("rb") as file:
            file.seek(after.bytes)
            data = file.read()
    except FileNotFoundError:
        return [], after
    whole = data[: data.rfind(b"\n") + 1]  # what follows the last line end is half a line
    lines = whole.split(b"\n")[:-1]
    found = [
        (number, _entry(line, f"{path}:{number}"))
        for number, line in enumerate(lines, after.lines + 1)
        if line.strip()
    ]
    return found, Read(after.bytes + len(whole), after.lines + len(lines))


def _entry(line: bytes, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        hint = "Remove the line, or take the file from a copy."
        raise CorruptFile(f"this line is not JSON: {error}", where=where, hint=hint) from None
    if not isinstance(entry, dict):
        raise CorruptFile("this line is not a JSON object", where=where, hint="Remove the line.")
    return entry  # pyright: ignore[reportUnknownVariableType]


def _drop_half_line(path: Path) -> None:
    with path.open("rb+") as file:
        kept = file.seek(0, os.SEEK_END)
        while kept:
            file.seek(kept - 1)
            if file.read(1) == b"\n":
                break
            kept -= 1
        file.truncate(kept)
