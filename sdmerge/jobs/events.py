"""Events: what a job says as it goes, a line of JSON each; readers remember how far they read."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sdmerge import jsonl

Kind = Literal["begin", "progress", "note", "table", "text", "result", "error", "end"]

_FIRST, _LATER, _SOON = 0.1, 1.0, 20.0
_TAIL = 16 << 10


@dataclass(frozen=True, slots=True)
class Event:
    """`at` is in seconds since 1970. What `data` holds goes with the kind:

    begin: attempt. progress: phase, done, total, unit ("bytes", or the name of pieces), rate per
    second, left (seconds; None as long as nothing is done). note, text: text. table: title,
    columns, rows. result: data, text, quiet. error: what, where, hint. end: state, exit_code.
    """

    kind: Kind
    at: float
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Log:
    """Writes events. Progress is told ten times a second at first, and once in a while later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._phase, self._begin, self._last = "", 0.0, 0.0

    def say(self, kind: Kind, **data: Any) -> None:
        """Add an event, for other processes to see at once."""
        entry = {"kind": kind, "at": round(time.time(), 3), **json.loads(_plain(data))}
        jsonl.append(self._path, entry, sync=kind in ("result", "end"))

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """How far the phase is, with rate and time left; most calls are not worth a line."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._begin, self._last = phase, now, 0.0
        elapsed = now - self._begin
        pause = min(_LATER, max(_FIRST, elapsed / _SOON))
        if done < total and now - self._last < pause:
            return
        self._last = now
        rate = done / elapsed if elapsed > 0 else 0.0
        left = round((total - done) / rate, 1) if rate else None
        self.say(
            "progress", phase=phase, done=done, total=total, unit=unit, rate=round(rate, 3),
            left=left,
        )  # fmt: skip


def read_events(path: Path, after: int = 0) -> tuple[list[Event], int]:
    """The events behind the byte `after`, and where the next ones begin."""
    try:
        with path.open("rb") as file:
            file.seek(after)
            data = file.read()
    except FileNotFoundError:
        return [], after
    end = data.rfind(b"\n") + 1  # a line that is being written counts once it is whole
    return [_event(line) for line in data[:end].splitlines() if line], after + end


def last_progress(path: Path) -> Event | None:
    """The newest event of progress, if it is among the last lines."""
    try:
        start = max(0, path.stat().st_size - _TAIL)
    except FileNotFoundError:
        return None
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().split(b"\n")[1 if start else 0 : -1]
    found = (event for event in map(_event, reversed(lines)) if event.kind == "progress")
    return next(found, None)


def _event(line: bytes) -> Event:
    entry: dict[str, Any] = json.loads(line)
    return Event(entry.pop("kind"), entry.pop("at"), entry)


def _plain(data: Mapping[str, Any]) -> str:
    """As JSON: what it does not know is told by its text, numbers that are none as null."""
    return json.dumps(_finite(data), ensure_ascii=False, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if value - value == 0 else None
        case Mapping():
            return {str(key): _finite(one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return [_finite(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
