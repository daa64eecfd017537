"""A sheet: pictures in rows and columns with their labels, as one image."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.Image import Image as Picture

_GAP = 4
_INK = (32, 32, 32)
_PAPER = (250, 250, 248)
_SIZE = 14
_SMALLEST = 128
"""Pictures narrower than this are enlarged, by whole factors and without blur."""

_CJK_FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSansJP-Regular.otf", "NotoSansJP-Regular.ttf", "ipag.ttf",
    "TakaoGothic.ttf", "Hiragino Sans GB.ttc", "YuGothM.ttc", "msgothic.ttc", "meiryo.ttc",
)  # fmt: skip


def sheet(
    rows: Sequence[Sequence[Picture]], row_labels: Sequence[str], column_labels: Sequence[str]
) -> Picture:
    """The pictures with a label above each column and left of each row.

    Labels in letters that no installed font has are left out: a row of boxes says nothing.
    """
    width, height = rows[0][0].size
    factor = max(1, -(-_SMALLEST // width))
    cell = (width * factor, height * factor)
    font = typeface(_SIZE)
    margin = _GAP * 2 + max((round(font.getlength(label)) for label in row_labels), default=0)
    head = _GAP * 2 + 18 if any(readable(label) for label in column_labels) else _GAP
    size = (margin + len(rows[0]) * (cell[0] + _GAP), head + len(rows) * (cell[1] + _GAP))
    image = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(image)
    for column, label in enumerate(column_labels):
        if readable(label):
            place = (margin + column * (cell[0] + _GAP), _GAP)
            pen.text(place, _cut(label, cell[0], font), fill=_INK, font=font)
    for row, (label, pictures) in enumerate(zip(row_labels, rows, strict=True)):
        top = head + row * (cell[1] + _GAP)
        pen.text((_GAP, top + cell[1] // 2 - 9), label, fill=_INK, font=font)
        for column, picture in enumerate(pictures):
            large = picture.resize(cell, Image.Resampling.NEAREST) if factor > 1 else picture
            image.paste(large, (margin + column * (cell[0] + _GAP), top))
    return image


def save(image: Picture, path: Path) -> None:
    """Write the image; a cancelled write leaves no file of that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    image.save(partial, format="PNG")
    partial.replace(path)


def typeface(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """An installed font, one with Japanese letters if there is one."""
    return _japanese_font(size) or ImageFont.load_default(size)


@functools.cache
def _japanese_font(size: int) -> ImageFont.FreeTypeFont | None:
    """The first installed font that has Japanese letters."""
    for name in _CJK_FONTS:
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, size)
    return None


def readable(label: str) -> bool:
    """Whether the font at hand has the label's letters."""
    return label.isascii() or _japanese_font(_SIZE) is not None


def _cut(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while len(label) > 1 and font.getlength(label) > width:
        label = label[:-2] + "…"
    return label
