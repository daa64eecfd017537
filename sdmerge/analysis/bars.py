"""Bars: blocks down, one panel per measure, a bar per model."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw
from PIL.Image import Image as Picture

from sdmerge.sample.sheet import readable, typeface

_INK, _PAPER, _EMPTY = (32, 32, 32), (250, 250, 248), (235, 235, 232)
_COLOURS = ((66, 118, 190), (214, 137, 48), (54, 140, 116))
_WIDE, _GAP, _EDGE, _BAR, _LINE = 220, 26, 14, 12, 17
_SMALL, _SIZE, _LARGE = 11, 13, 16


@dataclass(frozen=True, slots=True)
class Panel:
    """A measure: for each model a value per block, None where there is none.

    full: The value of the longest bar; by default the largest value's.
    """

    title: str
    models: Sequence[Sequence[float | None]]
    full: float | None = None

    def length(self, value: float) -> float:
        """A value's bar as a share of the panel."""
        known = [abs(one) for values in self.models for one in values if one is not None]
        full = max(known, default=0.0) if self.full is None else self.full
        return min(1.0, abs(value) / full) if full else 0.0


def bars(
    panels: Sequence[Panel],
    rows: Sequence[str],
    title: str,
    names: Sequence[str],
    words: Sequence[str],
) -> Picture:
    """The picture; `names` of the models stand below the title, `words` are lines at the end."""
    font = typeface(_SIZE)
    left = _EDGE + max(round(font.getlength(row)) for row in rows) + 10
    high = _BAR * max(len(panel.models) for panel in panels) + 8
    top = _EDGE + 30 + _LINE * 2 + 8
    width = max(left + len(panels) * (_WIDE + _GAP) + _EDGE, 560)
    lines = [line for text in words for line in textwrap.wrap(text, (width - 2 * _EDGE) * 10 // 63)]
    height = top + high * len(rows) + 14 + _LINE * len(lines) + _EDGE
    image = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((_EDGE, _EDGE), title, fill=_INK, font=typeface(_LARGE))
    _names(pen, names)
    for row, name in enumerate(rows):
        pen.text((left - 8, top + high * row + high // 2), name, fill=_INK, font=font, anchor="rm")
    for place, panel in enumerate(panels):
        _panel(pen, panel, (left + place * (_WIDE + _GAP), top), high, len(rows))
    for place, line in enumerate(lines):
        at = (_EDGE, top + high * len(rows) + 14 + _LINE * place)
        pen.text(at, line, fill=_INK, font=font)
    return image


def _names(pen: ImageDraw.ImageDraw, names: Sequence[str]) -> None:
    x = _EDGE
    for place, name in enumerate(names):
        text = name if readable(name) else f"model {place + 1}"
        y = _EDGE + 28
        pen.rectangle((x, y + 3, x + 10, y + 13), fill=_COLOURS[place % len(_COLOURS)])
        pen.text((x + 16, y), text, fill=_INK, font=typeface(_SIZE))
        x += 36 + round(typeface(_SIZE).getlength(text))


def _panel(
    pen: ImageDraw.ImageDraw, panel: Panel, at: tuple[int, int], high: int, rows: int
) -> None:
    (x, top), small = at, typeface(_SMALL)
    pen.text((x, top - 8), panel.title, fill=_INK, font=typeface(_SIZE), anchor="ls")
    pen.line((x - 1, top, x - 1, top + high * rows), fill=_EMPTY)
    room = _WIDE - 44
    for number, values in enumerate(panel.models):
        for row, value in enumerate(values):
            if value is None:
                continue
            y = top + high * row + 4 + _BAR * number
            end = x + round(room * panel.length(value))
            pen.rectangle((x, y, max(x + 1, end), y + _BAR - 2), fill=_COLOURS[number])
            pen.text((end + 4, y + 3), f"{value:.3g}", fill=_INK, font=small, anchor="lm")
