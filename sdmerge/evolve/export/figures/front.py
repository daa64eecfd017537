"""The Pareto front: candidates for which no other is better in every objective."""
# pyright: reportUnknownMemberType=false
# matplotlib types its keyword arguments as unknown

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdmerge.evolve.export.figures.theme import LIGHT, Theme, colour, figure, legend, short, styled
from sdmerge.evolve.export.history import History, Trial

_PANELS = 3


def on_front(scores: Sequence[Sequence[float]]) -> list[bool]:
    """Whether each row [candidates, objectives] is dominated by none: the more the better."""
    rows = np.asarray(scores, dtype=np.float64)
    return [not bool(((rows >= row).all(axis=1) & (rows > row).any(axis=1)).any()) for row in rows]


def front(history: History, theme: Theme = LIGHT) -> Figure | None:
    """Two objectives against each other, the first three pairs; None for one objective."""
    found = [trial for trial in history.searched if len(trial.objectives) > 1]
    if not found:
        return None
    pairs = [*itertools.combinations(range(len(found[0].objectives)), 2)][:_PANELS]
    drawn = figure(theme, 8, 4.2) if len(pairs) == 1 else figure(theme, 3.6 * len(pairs), 3.6)
    panels = drawn.subplots(1, len(pairs), squeeze=False)
    best = on_front([trial.objectives for trial in found])
    for axes, pair in zip(panels[0], pairs, strict=True):
        _panel(axes, history, found, best, pair=pair, theme=theme)
    return drawn


def _panel(
    axes: Axes, history: History, found: Sequence[Trial], best: Sequence[bool], *,
    pair: tuple[int, int], theme: Theme,
) -> None:  # fmt: skip
    across, up = pair
    title = f"Pareto front: {sum(best)} of {len(found)} candidates"
    styled(axes, theme, title=title, grid="both")
    places = np.array([(one.objectives[across], one.objectives[up]) for one in found])
    chosen = np.array(best)
    axes.scatter(*places[~chosen].T, s=8, color=theme.faint, alpha=0.5, linewidth=0,
                 label="candidates")  # fmt: skip
    front = places[chosen][np.argsort(places[chosen][:, 0])]
    axes.plot(*front.T, color=theme.accent, marker="o", markersize=4, linewidth=1.2,
              linestyle="-" if len(history.objectives) == 2 else "", label="front")  # fmt: skip
    for place, one in enumerate(one for one in history.baselines if len(one.objectives) > up):
        at = (one.objectives[across], one.objectives[up])
        axes.scatter(*at, s=40, marker="D", color=colour(theme, place + 1), zorder=4)
        axes.annotate(short(one.name), at, xytext=(5, 4), textcoords="offset points",
                      fontsize=7.5, color=colour(theme, place + 1))  # fmt: skip
    axes.set_xlabel(short(history.objectives[across]))
    axes.set_ylabel(short(history.objectives[up]))
    legend(axes, theme, loc="lower left")
