"""Contact sheet: a whole grid as one picture, for places that show nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps
from PIL.Image import Image as Picture

from sdmerge.errors import FileError, InputError
from sdmerge.sample.fonts import readable, typeface
from sdmerge.sample.grid import (
    Axis,
    Cell,
    Grid,
    Value,
    picture_path,
    read_cells,
    read_grid,
    value_key,
)
from sdmerge.sample.sheet import enlarged, sheet

_PAPER, _INK, _BLANK = (250, 250, 248), (32, 32, 32), (232, 232, 229)
_EDGE, _TITLE, _HEADING = 8, 20, 16
_MOST = 200_000_000
"""Pixels; a larger picture is refused by many programs."""

_NONE = Axis("", ("",))


@dataclass(frozen=True, slots=True)
class Contact:
    """The picture, and what people should know of it."""

    image: Picture
    notes: tuple[str, ...]


def contact_sheet(folder: Path, *, width: int = 256) -> Contact:
    """The grid in `folder` as one picture: a table per value of the axes beyond the second.

    Pictures wider than `width` pixels are made smaller. Labels in letters that no installed font
    has are numbered instead, and the notes say what the numbers stand for.
    """
    grid = read_grid(folder)
    cells = {_place(grid, cell.values): cell for cell in read_cells(folder).values()}
    size = _size(folder, list(cells.values()), width)
    _refuse_large(grid, size)
    across, down, *aside = (*grid.axes, _NONE)[: max(2, len(grid.axes))]
    tables: list[tuple[str, Picture]] = []
    for values in itertools.product(*(axis.values for axis in aside)):
        fixed = {axis.name: value for axis, value in zip(aside, values, strict=True)}
        heading = ", ".join(f"{axis.name} {_label(axis, fixed[axis.name])}" for axis in aside)
        rows = [
            [_picture(folder, cells.get(_place(grid, at)), size) for at in row]
            for row in _table(across, down, fixed)
        ]
        names = [[_label(axis, value) for value in axis.values] for axis in (down, across)]
        tables.append((heading, sheet(rows, *names)))
    return Contact(_stack(grid.title, tables), tuple(_notes(grid)))


def _table(
    across: Axis, down: Axis, fixed: Mapping[str, Value]
) -> Iterator[list[Mapping[str, Value]]]:
    for y in down.values:
        yield [{**fixed, down.name: y, across.name: x} for x in across.values]


def _place(grid: Grid, values: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(value_key(values.get(axis.name)) for axis in grid.axes)


def _label(axis: Axis, value: Value) -> str:
    label = axis.label(value)
    keys = [value_key(known) for known in axis.values]
    return label if readable(label) else f"{axis.name} {keys.index(value_key(value)) + 1}"


def _notes(grid: Grid) -> Iterator[str]:
    """What stands in for labels that cannot be drawn."""
    replaced = [
        f"{_label(axis, value)}: {axis.label(value)}"
        for axis in grid.axes
        for value in axis.values
        if not readable(axis.label(value))
    ]
    if replaced:
        yield "no installed font has the letters of these labels, so that they are numbered:"
        yield from (f"  {line}" for line in replaced)
        yield "  install a Japanese font, such as Noto Sans CJK or IPA Gothic, to see them"


def _size(folder: Path, cells: Sequence[Cell], width: int) -> tuple[int, int]:
    """What a cell measures: as the first picture, but no wider than `width`."""
    path = next((path for cell in cells if (path := picture_path(folder, cell)).is_file()), None)
    if path is None:
        raise FileError("has no pictures yet", where=str(folder), hint="Draw the grid first.")
    with Image.open(path) as image:
        share = min(1.0, width / image.width)
        return round(image.width * share), max(1, round(image.height * share))


def _refuse_large(grid: Grid, size: tuple[int, int]) -> None:
    count = 1
    for axis in grid.axes:
        count *= len(axis.values)
    pixels = count * size[0] * size[1] * enlarged(size[0]) ** 2
    if pixels > _MOST:
        what = f"the sheet would have {pixels / 1e6:,.0f} million pixels"
        raise InputError(what, hint="Make the pictures smaller with --width, or export the viewer.")


def _picture(folder: Path, cell: Cell | None, size: tuple[int, int]) -> Picture:
    """The cell's picture, on a blank of the cells' size; the blank alone if there is none."""
    path = picture_path(folder, cell) if cell else None
    if path is None or not path.is_file():
        return Image.new("RGB", size, _BLANK)
    with Image.open(path) as image:
        if image.size == size:
            return image.convert("RGB")
        return ImageOps.pad(image.convert("RGB"), size, color=_PAPER)


def _stack(title: str, tables: Sequence[tuple[str, Picture]]) -> Picture:
    large, font = typeface(_TITLE), typeface(_HEADING)
    top = _EDGE + (_TITLE + 12 if title and readable(title) else 0)
    heads = [_HEADING + 12 if heading else 0 for heading, _ in tables]
    width = max(table.width for _, table in tables) + 2 * _EDGE
    height = top + sum(
        head + table.height + _EDGE for head, (_, table) in zip(heads, tables, strict=True)
    )
    image = Image.new(
        "RGB", (max(width, round(large.getlength(title)) + 2 * _EDGE), height), _PAPER
    )
    pen = ImageDraw.Draw(image)
    if top > _EDGE:
        pen.text((_EDGE + 4, _EDGE), title, fill=_INK, font=large)
    for head, (heading, table) in zip(heads, tables, strict=True):
        if heading:
            pen.text((_EDGE + 4, top + 4), heading, fill=_INK, font=font)
        image.paste(table, (_EDGE, top + head))
        top += head + table.height + _EDGE
    return image
