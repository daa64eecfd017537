"""Axis, Grid, Cell: what a grid of pictures is made of."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sdmerge.errors import InputError

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Axis:
    """What varies. `name` is short and one of its kind in the grid; `path` is what it addresses,
    as recipes and axes write it. A label per value is what people read; by default the value.
    """

    name: str
    values: tuple[Value, ...]
    labels: tuple[str, ...] = ()
    path: str = ""

    def __post_init__(self) -> None:
        if not self.labels:
            object.__setattr__(self, "labels", tuple(_label(value) for value in self.values))
        if len(self.labels) != len(self.values):
            counts = f"{len(self.labels)} labels for {len(self.values)} values"
            raise InputError(f"the axis {self.name} has {counts}")
        seen: set[str] = set()
        for key in map(value_key, self.values):
            if key in seen:
                raise InputError(f"the axis {self.name} has the value {key} twice")
            seen.add(key)

    def label(self, value: Value) -> str:
        """What people read for `value`."""
        keys = [value_key(known) for known in self.values]
        key = value_key(value)
        return self.labels[keys.index(key)] if key in keys else _label(value)


@dataclass(frozen=True, slots=True)
class Grid:
    """What a grid is about. The first axis goes across, the second down, the rest aside."""

    axes: tuple[Axis, ...]
    title: str = ""
    recipe: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])

    def __post_init__(self) -> None:
        names = [axis.name for axis in self.axes]
        if not names or len(set(names)) < len(names):
            raise InputError(f"a grid's axes need names of their own, not {', '.join(names)}")

    @property
    def count(self) -> int:
        """How many cells it has once all are drawn."""
        return math.prod(len(axis.values) for axis in self.axes)

    def axis(self, name: str) -> Axis:
        """The axis of that name; an InputError lists those there are."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        names = ", ".join(axis.name for axis in self.axes)
        raise InputError(f"the grid has no axis '{name}'", hint=f"It has {names}.")


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture. `values` has an entry per axis, `file` is relative to the grid's folder.

    `caption` is what scorers compare the picture with, where it is not the prompt.
    """

    id: str
    values: Mapping[str, Value]
    prompt: str
    seed: int
    file: str
    recipe_id: str = ""
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    seconds: float | None = None
    caption: str = ""


def placed(grid: Grid, cells: Iterable[Cell]) -> dict[tuple[int, ...], Cell]:
    """The cells that lie on the grid's axes, by their places there.

    One drawn anew, by another recipe, takes the old one's place.
    """
    known = [{value_key(value): n for n, value in enumerate(axis.values)} for axis in grid.axes]
    found: dict[tuple[int, ...], Cell] = {}
    for cell in cells:
        at = [
            places.get(value_key(cell.values.get(axis.name)))
            for axis, places in zip(grid.axes, known, strict=True)
        ]
        if None not in at:
            found[tuple(place for place in at if place is not None)] = cell
    return found


def cell_id(
    values: Mapping[str, Value],
    *,
    recipe_id: str,
    prompt: str,
    seed: int,
    settings: Mapping[str, Value],
) -> str:
    """16 hex digits of all that a cell depends on: a cell that has them need not be drawn again."""
    told = [values, recipe_id, prompt, seed, settings]
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def value_key(value: Value) -> str:
    """Equal for equal values: 1 and 1.0 are one value of an axis, 1 and true are not."""
    return json.dumps(float(value) if type(value) is int else value)


def _label(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)
