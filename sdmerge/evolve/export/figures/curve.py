"""The curve: what the search scored, candidate by candidate, and what validation said of it."""
# pyright: reportUnknownMemberType=false
# matplotlib types its keyword arguments as unknown

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdmerge.evolve.export.figures.theme import (
    LIGHT,
    Theme,
    colour,
    figure,
    legend,
    short,
    spread,
    styled,
)
from sdmerge.evolve.export.history import History, Validation
from sdmerge.scoring.statistics import estimate, table

_ABOVE: dict[str, Any] = {
    "loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3, "borderaxespad": 0.1,
    "columnspacing": 1.2,
}  # fmt: skip
"""Legends stand beside the title, where no line runs through them."""


def curve(history: History, theme: Theme = LIGHT) -> Figure:
    """Search scores with baselines as lines; below, validation by each column that was asked."""
    columns = [
        column
        for column in (history.judge, *(one for one in history.columns if one != history.judge))
        if any(column in one.scores for one in history.validations)
    ]
    drawn = figure(theme, 8, 3.2 + 2.1 * len(columns))
    ratios = [3.2, *([2.1] * len(columns))]
    panels = drawn.subplots(1 + len(columns), 1, sharex=True, squeeze=False, height_ratios=ratios)
    _search(panels[0, 0], history, theme)
    for panel, column in zip(panels[1:, 0], columns, strict=True):
        _validation(panel, history, column, theme)
    panels[-1, 0].set_xlabel("candidates")
    return drawn


def _search(axes: Axes, history: History, theme: Theme) -> None:
    styled(axes, theme, title=f"search: {short(history.objectives[0])}")
    found = [trial for trial in history.searched if trial.objectives]
    at = [trial.number for trial in found]
    scores = [trial.objectives[0] for trial in found]
    axes.scatter(at, scores, s=8, color=theme.faint, alpha=0.55, linewidth=0, label="candidates")
    again = [trial for trial in history.incumbents if trial.objectives]
    axes.plot([one.number for one in again], [one.objectives[0] for one in again], linewidth=1.6,
              color=theme.accent, marker=".", markersize=4,
              label="best so far, on each generation's prompts and seeds")  # fmt: skip
    known = [one for one in history.baselines if one.objectives]
    best = max((one.objectives[0] for one in known if one.kind == "sweep"), default=0.0)
    lines = {one.name: one.objectives[0] for one in known
             if one.kind != "sweep" or one.objectives[0] == best}  # fmt: skip
    _lines(axes, lines, theme)
    _alarms(axes, history, theme)
    legend(axes, theme, **_ABOVE)


def _validation(axes: Axes, history: History, column: str, theme: Theme) -> None:
    # the legend stands on the same line
    what = "validation, judge" if column == history.judge else "validation"
    styled(axes, theme, title=f"{what}: {short(column)}")
    ends = _ends(history)
    for place, kind in enumerate(("incumbent", "centre")):
        own = [one for one in history.validations if one.kind == kind and column in one.scores]
        if own:
            name = "best so far" if kind == "incumbent" else "centre of the distribution"
            shown = theme.accent if kind == "incumbent" else colour(theme, 1)
            _series(axes, own, column, ends=ends, shown=shown, name=name, filled=not place)
    others = [one for one in history.validations if one.kind not in ("incumbent", "centre")]
    means = {one.name: float(np.mean(one.scores[column])) for one in others if column in one.scores}
    _lines(axes, means, theme)
    _alarms(axes, history, theme)
    legend(axes, theme, **_ABOVE)


def _series(
    axes: Axes, own: Sequence[Validation], column: str, *, ends: Mapping[int, int], shown: str,
    name: str, filled: bool,
) -> None:  # fmt: skip
    found = [estimate(table(one.scores[column])) for one in own]
    count = found[0].prompts
    at = np.array([ends.get(one.generation, 0) for one in own])
    means = np.array([one.mean for one in found])
    axes.plot(at, means, color=shown, marker="o" if filled else "s", markersize=3, linewidth=1.4,
              label=f"{name}, 95 % over {count} prompts" if filled and count > 1 else name,
              )  # fmt: skip
    if filled and count > 1:
        low, high = [one.low for one in found], [one.high for one in found]
        axes.fill_between(at, low, high, color=shown, alpha=0.15, linewidth=0)


def _ends(history: History) -> dict[int, int]:
    """Generation → the number of its last candidate."""
    found: dict[int, int] = {}
    for trial in history.trials:
        found[trial.generation] = max(found.get(trial.generation, 0), trial.number)
    return found


def _lines(axes: Axes, lines: Mapping[str, float], theme: Theme) -> None:
    """A line per baseline, named at its end; names that would overlap move apart."""
    low, high = axes.get_ylim()
    if lines:
        least, most = min(*lines.values(), low), max(*lines.values(), high)
        room = 0.05 * (most - least or 1.0)
        low, high = least - room, most + room
        axes.set_ylim(low, high)
    apart = 0.065 * (high - low)
    beside = spread([*lines.values()], apart)
    for place, ((name, value), y) in enumerate(zip(lines.items(), beside, strict=True)):
        shown = colour(theme, place)
        axes.axhline(value, color=shown, linewidth=1, linestyle=(0, (5, 3)))
        axes.annotate(short(name), xy=(1, value), xytext=(1.015, y), color=shown, fontsize=7.5,
                      xycoords=("axes fraction", "data"), textcoords=("axes fraction", "data"),
                      va="center", annotation_clip=False)  # fmt: skip


def _alarms(axes: Axes, history: History, theme: Theme) -> None:
    ends = _ends(history)
    for place, one in enumerate(history.alarms):
        at = ends.get(one.generation, 0)
        axes.axvline(at, color=theme.bad, linewidth=1.2, label="" if place else "alarm")
