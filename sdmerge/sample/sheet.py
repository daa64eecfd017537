"""A sheet: pictures in rows and columns with their labels, as one image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw
from PIL.Image import Image as Picture

from sdmerge.sample.fonts import readable, typeface, wrapped
from sdmerge.written import written

_GAP = 4
_INK = (32, 32, 32)
_PAPER = (250, 250, 248)
_SIZE, _LINE = 14, 18
_LINES = 3
_WIDEST = 220
_SMALLEST = 128
"""Pictures narrower than this are enlarged, by whole factors and without blur."""


def sheet(
    rows: Sequence[Sequence[Picture]], row_labels: Sequence[str], column_labels: Sequence[str]
) -> Picture:
    """The pictures with a label above each column and left of each row.

    Labels in letters that no installed font has are left out: a row of boxes says nothing.
    """
    width, height = rows[0][0].size
    factor = enlarged(width)
    cell = (width * factor, height * factor)
    font = typeface(_SIZE)
    heads = [_lines(label, cell[0], _LINES) for label in column_labels]
    sides = [_lines(label, _WIDEST, max(1, cell[1] // _LINE)) for label in row_labels]
    margin = _GAP * 2 + max(
        (round(font.getlength(text)) for side in sides for text in side), default=0
    )
    lines = max((len(head) for head in heads), default=0)
    top = _GAP * 2 + _LINE * lines if lines else _GAP
    size = (margin + len(rows[0]) * (cell[0] + _GAP), top + len(rows) * (cell[1] + _GAP))
    image = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(image)
    for column, head in enumerate(heads):
        # what has fewer lines stands next to its pictures
        _write(pen, head, (margin + column * (cell[0] + _GAP), _GAP + _LINE * (lines - len(head))))
    for row, (side, pictures) in enumerate(zip(sides, rows, strict=True)):
        y = top + row * (cell[1] + _GAP)
        _write(pen, side, (_GAP, y + (cell[1] - _LINE * len(side)) // 2))
        for column, picture in enumerate(pictures):
            large = picture.resize(cell, Image.Resampling.NEAREST) if factor > 1 else picture
            image.paste(large, (margin + column * (cell[0] + _GAP), y))
    return image


def enlarged(width: int) -> int:
    """How many times larger pictures of that width are drawn."""
    return max(1, -(-_SMALLEST // width))


def _lines(label: str, width: int, most: int) -> list[str]:
    return wrapped(label, typeface(_SIZE), width, most) if readable(label) else []


def _write(pen: ImageDraw.ImageDraw, lines: Sequence[str], at: tuple[int, int]) -> None:
    for place, line in enumerate(lines):
        pen.text((at[0], at[1] + _LINE * place), line, fill=_INK, font=typeface(_SIZE))


def save(image: Picture, path: Path) -> None:
    """Write the image; a cancelled write leaves no file of that name."""
    with written(path) as partial:
        image.save(partial, format="PNG")
