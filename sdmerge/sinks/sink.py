"""What every sink does, and how canonical tensors become the tensors of a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from sdmerge.engine import Engine
from sdmerge.families.keymap import KeyMap, Piece
from sdmerge.plan import Plan, Task
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.writer import SafetensorsWriter


class Sink(Protocol):
    """Takes the tensors of a plan: open, put each, then commit, or abort at any time."""

    def open(self, plan: Plan) -> None:
        """Get ready; whatever can be wrong with the target is an error here."""
        ...

    def order(self, plan: Plan) -> Sequence[str]:
        """The canonical keys in the order this sink likes best."""
        ...

    def put(self, task: Task, tensor: Tensor) -> None:
        """Take one tensor, flat, in the task's dtype."""
        ...

    def commit(self) -> None:
        """Everything is there: make it the result."""
        ...

    def abort(self) -> None:
        """Something went wrong, before or after `open`: leave nothing that looks whole."""
        ...


@runtime_checkable
class Maker(Protocol):
    """A sink that takes something else than tensors: what it makes of a task itself."""

    def open(self, plan: Plan) -> None:
        """As of every sink."""
        ...

    def order(self, plan: Plan) -> Sequence[str]:
        """As of every sink."""
        ...

    def make(self, engine: Engine, task: Task) -> Any:
        """What `put` takes for the task; called by several threads at once."""
        ...

    def put(self, task: Task, tensor: Any) -> None:
        """Take what `make` made."""
        ...

    def commit(self) -> None:
        """As of every sink."""
        ...

    def abort(self) -> None:
        """As of every sink."""
        ...


class Pieces:
    """Writes canonical tensors piece by piece where a file's layout wants them."""

    def __init__(self, layout: KeyMap, writer: SafetensorsWriter) -> None:
        self._writer = writer
        self._by_key: defaultdict[str, list[Piece]] = defaultdict(list)
        for pieces in layout.pieces.values():
            for piece in pieces:
                self._by_key[piece.source].append(piece)

    def put(self, key: str, tensor: Tensor) -> None:
        """Write every piece of the canonical tensor `key`."""
        for piece in self._by_key[key]:
            part = tensor[piece.source_start : piece.source_start + piece.count]
            if piece.transpose is not None:
                part = part.reshape(piece.transpose).t().reshape(-1)
            wanted = TORCH[self._writer.specs[piece.target].dtype]
            self._writer.write(piece.target, part.to(wanted), piece.target_start)


def reading_order(layout: KeyMap) -> list[str]:
    """Canonical keys in the order in which the layout's file is written from front to back."""
    return list(
        dict.fromkeys(piece.source for pieces in layout.pieces.values() for piece in pieces)
    )
