"""What a command says, as events of a job; and events, said again as the command would."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sdmerge.cli.output import Advance, Output
from sdmerge.jobs.events import Event, Log

_PATHS = ("path", "page")


class Recorder(Output):
    """Says everything to a job's log; readers choose how they want to see it."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self.results: list[Path] = []
        """What the command says that it wrote."""

    def result(self, data: Mapping[str, Any], text: str = "", *, quiet: str = "") -> None:
        paths = [data[name] for name in _PATHS if isinstance(data.get(name), str)]
        self.results += [Path(path).absolute() for path in paths]
        self._log.say("result", data=dict(data), text=text, quiet=quiet)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        told = [[str(cell) for cell in row] for row in rows]
        self._log.say("table", title=title, columns=list(columns), rows=told)

    def text(self, text: str) -> None:
        self._log.say("text", text=text)

    def note(self, text: str) -> None:
        self._log.say("note", text=text)

    def error(self, text: str) -> None:
        self._log.say("error", what=text, where="", hint="")

    @contextmanager
    def progress(self, what: str, *, pieces: str = "") -> Generator[Advance]:
        def advance(done: int, total: int, now: str = what) -> None:
            self._log.progress(now, done, total, pieces or "bytes")

        yield advance


class Replay:
    """Says events to an output, progress included; `close` takes the bar away."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bar = contextlib.ExitStack()
        self._unit = ""
        self._advance: Advance | None = None

    def say(self, event: Event) -> None:
        """One event, as the command itself would have said it."""
        data = event.data
        match event.kind:
            case "progress":
                self._progress(data)
            case "result":
                self.close()
                self._output.result(data["data"], data["text"], quiet=data["quiet"])
            case "table":
                self.close()
                self._output.table(data["title"], data["columns"], data["rows"])
            case "text":
                self._output.text(data["text"])
            case "note":
                self._output.note(data["text"])
            case "begin":
                if data["attempt"] > 1:
                    self._output.note(f"begun for the {data['attempt']}th time")
            case "error" | "end":
                self.close()

    def close(self) -> None:
        """End the bar, if there is one."""
        self._bar.close()
        self._advance = None

    def _progress(self, data: Mapping[str, Any]) -> None:
        unit = "" if data["unit"] == "bytes" else data["unit"]
        if self._advance is None or unit != self._unit:
            self.close()
            self._unit = unit
            bar = self._output.progress(data["phase"], pieces=unit)
            self._advance = self._bar.enter_context(bar)
        self._advance(data["done"], data["total"], data["phase"])
