"""How figures look, on light and on dark paper, and how they become PNGs.

Figures are made without pyplot, whose figures and settings are global. Text is never read as
mathematics, and is drawn in a font that has its letters.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# matplotlib types its keyword arguments as unknown

from __future__ import annotations

import functools
import io
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text

from sdmerge.sample.fonts import font_file, readable
from sdmerge.written import write

_DPI = 120


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours. `series` tells things apart that have no order, also without colour vision."""

    paper: str
    ink: str
    faint: str
    line: str
    accent: str
    good: str
    bad: str
    series: tuple[str, ...]
    scale: str
    """The colour map of scores."""


LIGHT = Theme(
    "#ffffff", "#1e2021", "#66696b", "#d9d9d5", "#1f5fa8", "#1a7f5a", "#b5442c",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#5b5b5b"), "viridis_r",
)  # fmt: skip
DARK = Theme(
    "#232526", "#e4e4e1", "#94989a", "#3f4345", "#7db4ec", "#5cc39a", "#ee8a72",
    ("#56b4e9", "#e69f00", "#3cc49a", "#e29cc4", "#f0e442", "#8fb8ff", "#b5b5b5"), "viridis",
)  # fmt: skip


def figure(theme: Theme, width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), dpi=_DPI, facecolor=theme.paper, layout="constrained")


def styled(axes: Axes, theme: Theme, *, title: str = "", grid: str = "y") -> Axes:
    """Axes in the theme's colours, without a frame."""
    axes.set_facecolor(theme.paper)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.line)
    axes.tick_params(colors=theme.faint, labelcolor=theme.faint, labelsize=8, length=3)
    axes.xaxis.label.set(color=theme.faint, fontsize=8)
    axes.yaxis.label.set(color=theme.faint, fontsize=8)
    if grid:
        axes.grid(visible=True, axis=grid, color=theme.line, linewidth=0.6, zorder=0)  # pyright: ignore[reportArgumentType]
    axes.set_axisbelow(True)
    if title:
        axes.set_title(title, loc="left", color=theme.ink, fontsize=9.5)
    return axes


def legend(axes: Axes, theme: Theme, **where: Any) -> None:
    """A legend without a box, if there is something in it."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=7.5, labelcolor=theme.ink, **where)


def colour(theme: Theme, place: int) -> str:
    """The series' colour at a place; they come round again."""
    return theme.series[place % len(theme.series)]


def spread(places: list[float], apart: float) -> list[float]:
    """The places, moved as little as need be to stand `apart`; in the order they came."""
    order = sorted(range(len(places)), key=lambda at: places[at])
    moved = list(places)
    for below, above in itertools.pairwise(order):
        moved[above] = max(moved[above], moved[below] + apart)
    shift = sum(new - old for new, old in zip(moved, places, strict=True)) / max(1, len(places))
    return [place - shift for place in moved]


def png(drawn: Figure) -> bytes:
    """The figure as a PNG."""
    _lettered(drawn)
    content = io.BytesIO()
    drawn.savefig(content, format="png", facecolor=drawn.get_facecolor(), metadata={"Software": ""})
    return content.getvalue()


def save(drawn: Figure, path: Path) -> None:
    """Write the figure; a write that is stopped leaves no file of that name."""
    write(path, png(drawn))


def short(text: str, most: int = 34) -> str:
    """A label that can be read, and does not push the figure aside: too long, it loses its middle.

    Letters that no font here has become question marks.
    """
    if not all(map(_known, text)) and (font_file() is None or not readable(text)):
        text = "".join(one if _known(one) else "?" for one in text)
    if len(text) <= most:
        return text
    half = (most - 1) / 2
    return f"{text[: math.ceil(half)]}…{text[len(text) - math.floor(half) :]}"


def _lettered(drawn: Figure) -> None:
    """Give each text a font that has its letters, and take none for mathematics."""
    for axes in drawn.axes:  # labels of ticks have no text before they are asked for
        axes.get_xticklabels()
        axes.get_yticklabels()
    for text in drawn.findobj(Text):
        text.set_parse_math(False)
        file = None if all(map(_known, text.get_text())) else font_file()
        if file is not None:
            text.set_fontproperties(FontProperties(fname=file, size=text.get_fontsize()))


@functools.cache
def _known(letter: str) -> bool:
    """Whether matplotlib's own font has it."""
    own = get_font(findfont(FontProperties()))
    return letter.isspace() or bool(own.get_char_index(ord(letter)))
