"""Columns: the measures as a table shows them and a heat map colours them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdmerge.analysis.interference import Interference
from sdmerge.analysis.sums import Measures

_MOST_PAIRS = 6
"""More pairs of models than this are shown by their mean and their extremes."""


@dataclass(frozen=True, slots=True)
class Column:
    """A measure, with a value per block and one for all of them in the end.

    A value has no colour at `neutral` and the full one at `full`, on whichever side that is.
    """

    title: str
    group: str
    values: tuple[float | None, ...]
    neutral: float
    full: float
    form: str

    def text(self, row: int) -> str:
        """The value as people read it."""
        value = self.values[row]
        return "" if value is None else format(value, self.form)

    def strength(self, row: int) -> float:
        """How strong its colour is: from -1 over 0 (none) to 1."""
        value = self.values[row]
        if value is None:
            return 0.0
        return max(-1.0, min(1.0, (value - self.neutral) / (self.full - self.neutral)))


def chance(models: int) -> float:
    """The share of conflicts if the signs of that many deltas were thrown by coins."""
    return 1 - 2 ** (1 - models)


def legend(found: Interference) -> list[str]:
    """What the columns mean, a line each."""
    if not found.based:
        return [
            "There is no base: the weights themselves are compared.",
            "cosine: of two models' weights. length: of a model's weights, as a share of the mean.",
        ]
    return [
        "conflict: share of entries moved to both sides, of those that two models or more move.",
        f"Thrown coins would give {chance(len(found.names)):.2f}; more is red, less is blue.",
        "by size: the same, each entry counting by how far it is moved.",
        "cancelled: share of all movement that is lost when the deltas are added.",
        "cosine: of two models' deltas; 0 is a right angle, 1 the same direction.",
        "change: length of a model's delta, as a share of the base's.",
    ]


def columns(found: Interference) -> tuple[Column, ...]:
    """The columns of the report: of deltas, or without a base of weights."""
    rows = [*found.blocks.values(), found.whole]
    return (*(_conflicts(found, rows) if found.based else ()), *_cosines(found, rows),
            *_lengths(found, rows))  # fmt: skip


def _conflicts(found: Interference, rows: Sequence[Measures]) -> list[Column]:
    if len(found.names) < 2:
        return []
    coins = chance(len(found.names))
    span = min(1.0, coins + 0.25)
    return [
        Column("conflict", "conflict", tuple(row.conflict for row in rows), coins, span, ".2f"),
        Column("by size", "conflict", tuple(row.weighted for row in rows), coins, span, ".2f"),
        Column("cancelled", "cancelled", tuple(row.cancelled for row in rows), 0.0, 0.5, ".2f"),
    ]


def _cosines(found: Interference, rows: Sequence[Measures]) -> list[Column]:
    pairs = [f"{a}/{b}" for a, b in itertools.combinations(found.names, 2)]
    if len(pairs) > _MOST_PAIRS:
        made: list[tuple[str, Callable[[list[float]], float]]] = [
            ("lowest cosine", min), ("mean cosine", _mean), ("highest cosine", max)
        ]  # fmt: skip
        values = [[_of(combine, row.cosines) for row in rows] for _, combine in made]
        titles = [title for title, _ in made]
    else:
        values = [[row.cosines[place] for row in rows] for place in range(len(pairs))]
        titles = [f"cosine {pair}" for pair in pairs]
    known = [value for column in values for value in column if value is not None]
    # deltas are across each other, weights of one origin nearly parallel
    neutral, full = (0.0, -0.5) if found.based else (1.0, min([*known, 0.99]))
    form = "+z.2f" if found.based else ".4f"
    return [
        Column(title, "cosine", tuple(column), neutral, full, form)
        for title, column in zip(titles, values, strict=True)
    ]


def _lengths(found: Interference, rows: Sequence[Measures]) -> list[Column]:
    word, form, neutral = ("change", ".1%", 0.0) if found.based else ("length", ".4f", 1.0)
    lengths = [row.relative if found.based else _shares_of_mean(row.norms) for row in rows]
    known = [abs(value - neutral) for row in lengths for value in row if value is not None]
    full = neutral + max([*known, 1e-3])
    return [
        Column(f"{word} {name}", "length", tuple(row[i] for row in lengths), neutral, full, form)
        for i, name in enumerate(found.names)
    ]


def _shares_of_mean(norms: Sequence[float]) -> list[float | None]:
    whole = sum(norms)
    return [len(norms) * norm / whole if whole else None for norm in norms]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _of(combine: Callable[[list[float]], float], cosines: Sequence[float | None]) -> float | None:
    known = [value for value in cosines if value is not None]
    return combine(known) if known else None
