"""Scores for a grid that is drawn: each cell by its own prompt and caption, kept beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdmerge.errors import FileError, ScorerError
from sdmerge.sample.grid import (
    Cell,
    append_cell,
    picture_path,
    placed,
    read_cells,
    read_grid,
    value_key,
)
from sdmerge.scoring.panel import BATCH, Panel, Scored, Shown, open_picture
from sdmerge.scoring.prompts import Line

Told = Callable[[int, int], None]
"""Takes the cells done and those there were to do."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The pictures at one value of an axis."""

    label: str
    rows: Sequence[Scored]


def lines_of(cells: Iterable[Cell], given: Sequence[Line] = ()) -> dict[str, Line]:
    """What each cell should show, by its id: as the grid has it, or where lines are `given` the
    one with its prompt. A prompt that they lack is a FileError.
    """
    known = {line.prompt: line for line in given}
    found: dict[str, Line] = {}
    for cell in cells:
        if known and cell.prompt not in known:
            hint = "Give the file that the grid was drawn with, or leave --prompts out."
            raise FileError(f"the prompts given lack the grid's '{cell.prompt}'", hint=hint)
        own = Line(cell.prompt, cell.caption or cell.prompt)
        found[cell.id] = known.get(cell.prompt, own)
    return found


def refuse_lone(cells: Iterable[Cell], scorer: str) -> None:
    """A ScorerError unless every cell has another that differs in its seed alone."""
    if any(len(group) < 2 for group in _groups(cells)):
        hint = "Draw --seeds 2 or more."
        raise ScorerError(f"{scorer} compares the pictures of one prompt", hint=hint)


def score_cells(
    folder: Path,
    panel: Panel,
    given: Sequence[Line] = (),
    *,
    batch: int = BATCH,
    anew: bool = False,
    told: Told | None = None,
) -> int:
    """Score the cells of `folder` that lack a score, or all of them `anew`; returns how many.

    A score of a set stands for the pictures of one cell with all its seeds; where one of them has
    none, all are scored. Stopped at any time, it leaves a valid grid.
    """
    cells = list(placed(read_grid(folder), read_cells(folder).values()).values())
    lines = lines_of(cells, given)
    sets = {judge.name for judge in panel.judges if judge.spec.of == "set"}
    for name in sets:
        refuse_lone(cells, name)
    wanted = [
        (place, cell)
        for place, group in enumerate(_groups(cells))
        for cell in _lacking(group, {*panel.names}, sets, anew=anew)
    ]

    def shown() -> Iterator[Shown]:
        for place, cell in wanted:
            yield Shown(open_picture(picture_path(folder, cell)), lines[cell.id], place, cell.seed)

    scored = panel.score(shown(), batch=batch)
    for done, ((_, cell), row) in enumerate(zip(wanted, scored, strict=True), 1):
        whole = done % batch == 0 or done == len(wanted)
        scores = {**cell.scores, **row.scores}
        append_cell(folder, replace(cell, scores=scores), sync=whole)
        if told is not None and whole:
            told(done, len(wanted))
    return len(wanted)


def by_axis(folder: Path, names: Sequence[str]) -> dict[str, list[Labelled]]:
    """The scores along each axis of several values but that of seeds, and of all under ""."""
    grid = read_grid(folder)
    cells = placed(grid, read_cells(folder).values())
    prompts = list(dict.fromkeys(cell.prompt for cell in cells.values()))

    def rows(some: Iterable[Cell]) -> list[Scored]:
        return [
            Scored(Line(cell.prompt, cell.prompt), prompts.index(cell.prompt), cell.seed,
                   {name: cell.scores[name] for name in names}, "")
            for cell in some
        ]  # fmt: skip

    found = {"": [Labelled(grid.title, rows(cells.values()))]}
    for place, axis in enumerate(grid.axes):
        if axis.name == "seed" or len(axis.values) < 2:
            continue
        labelled = [
            Labelled(label, rows(cell for at, cell in cells.items() if at[place] == number))
            for number, label in enumerate(axis.labels)
        ]
        found[axis.name] = [one for one in labelled if one.rows]
    return found


def _groups(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Cells that differ in their seeds alone, together."""
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        values: Mapping[str, str] = {name: value_key(one) for name, one in cell.values.items()}
        rest = sorted((name, one) for name, one in values.items() if name != "seed")
        groups.setdefault((cell.recipe_id, cell.prompt, *rest), []).append(cell)
    return list(groups.values())


def _lacking(group: list[Cell], names: set[str], sets: set[str], *, anew: bool) -> list[Cell]:
    lacking = [cell for cell in group if anew or not names <= cell.scores.keys()]
    split = any(not sets <= cell.scores.keys() for cell in group)
    return group if split else lacking
