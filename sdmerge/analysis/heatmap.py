"""Heat map: blocks down, measures across, each number on its colour."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw
from PIL.Image import Image as Picture

from sdmerge.analysis.columns import Column
from sdmerge.sample.fonts import readable, typeface

_INK, _PAPER, _EMPTY = (32, 32, 32), (250, 250, 248), (235, 235, 232)
_NEUTRAL = (255, 255, 252)
_AGAINST, _WITH, _FAR = (214, 69, 48), (66, 118, 190), (54, 140, 116)
_CELL, _GAP, _EDGE = (66, 22), 10, 14
_SMALL, _SIZE, _LARGE = 11, 13, 16
_LINE = 17


def heatmap(
    columns: Sequence[Column], rows: Sequence[str], title: str, words: Sequence[str]
) -> Picture:
    """The picture. `words` are lines below it; the last row, all blocks, stands apart."""
    font = typeface(_SIZE)
    names = [row if readable(row) else f"row {place}" for place, row in enumerate(rows, 1)]
    heads = [_head(column.title, place) for place, column in enumerate(columns, 1)]
    left = _EDGE + max(round(font.getlength(name)) for name in names) + 8
    top = _EDGE + 30 + max(head.height for head in heads) + 6
    groups = [column.group for column in columns]
    across = [left + place * _CELL[0] + _GAP * _changes(groups[: place + 1])
              for place in range(len(columns))]  # fmt: skip
    down = [top + place * _CELL[1] + _GAP * (place == len(rows) - 1) for place in range(len(rows))]
    width = max(
        across[-1] + _CELL[0] + _EDGE, 560, _EDGE * 2 + round(typeface(_LARGE).getlength(title))
    )
    lines = [line for text in words for line in textwrap.wrap(text, (width - 2 * _EDGE) * 10 // 63)]
    image = Image.new("RGB", (width, down[-1] + _CELL[1] + 16 + _LINE * len(lines) + _EDGE), _PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((_EDGE, _EDGE), title, fill=_INK, font=typeface(_LARGE))
    for column, x, head in zip(columns, across, heads, strict=True):
        image.paste(head, (x + (_CELL[0] - head.width) // 2, top - 6 - head.height))
        for row, y in enumerate(down):
            _cell(pen, column, row, (x, y))
    for name, y in zip(names, down, strict=True):
        pen.text((left - 8, y + _CELL[1] // 2), name, fill=_INK, font=font, anchor="rm")
    for place, line in enumerate(lines):
        at = (_EDGE, down[-1] + _CELL[1] + 16 + _LINE * place)
        pen.text(at, line, fill=_INK, font=font)
    return image


def _head(title: str, place: int) -> Picture:
    """A column's title, upright."""
    text = title if readable(title) else f"column {place}"
    font = typeface(_SIZE)
    strip = Image.new("RGB", (round(font.getlength(text)) + 2, _LINE), _PAPER)
    ImageDraw.Draw(strip).text((1, 0), text, fill=_INK, font=font)
    return strip.rotate(90, expand=True)


def _cell(pen: ImageDraw.ImageDraw, column: Column, row: int, at: tuple[int, int]) -> None:
    (x, y), (width, height) = at, _CELL
    fill = _EMPTY if column.values[row] is None else _colour(column, row)
    pen.rectangle((x, y, x + width - 2, y + height - 2), fill=fill)
    # ink that can be read on what is below it
    bright = 0.3 * fill[0] + 0.59 * fill[1] + 0.11 * fill[2] > 140
    place = (x + width // 2 - 1, y + height // 2 - 1)
    ink = _INK if bright else _NEUTRAL
    pen.text(place, column.text(row), fill=ink, font=typeface(_SMALL), anchor="mm")


def _colour(column: Column, row: int) -> tuple[int, int, int]:
    strength = column.strength(row)
    full = _FAR if column.group == "length" else _AGAINST if strength > 0 else _WITH
    red, green, blue = (
        round(none + abs(strength) * (most - none))
        for none, most in zip(_NEUTRAL, full, strict=True)
    )
    return red, green, blue


def _changes(groups: Sequence[str]) -> int:
    """How often the group changes from one column to the next."""
    return sum(one != other for one, other in itertools.pairwise(groups))
