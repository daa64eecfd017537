"""The test as a forest plot: how much the winner is above each other, with intervals."""
# pyright: reportUnknownMemberType=false
# matplotlib types its keyword arguments as unknown

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdmerge.evolve.export.figures.theme import LIGHT, Theme, figure, short, styled
from sdmerge.evolve.export.history import History
from sdmerge.evolve.export.verdict import Compared, Table


def forest(history: History, found: Table, theme: Theme = LIGHT) -> Figure | None:
    """A panel per column, a line per contender; None if the winner was tested alone."""
    test = history.test
    if test is None or not found.compared:
        return None
    columns = [*dict.fromkeys(one.column for one in found.compared)]
    names = [*dict.fromkeys(one.contender for one in found.compared)]
    drawn = figure(theme, max(6.0, 2.2 + 2.9 * len(columns)), 1.15 + 0.36 * len(names))
    panels = drawn.subplots(1, len(columns), sharey=True, squeeze=False)
    for axes, column in zip(panels[0], columns, strict=True):
        role = "optimised" if column in history.fitness else "never optimised"
        own = [one for one in found.compared if one.column == column]
        _panel(axes, own, f"{short(column)} ({role})", theme)
    panels[0, 0].set_yticks(range(len(names)), [short(name) for name in names])
    panels[0, 0].tick_params(axis="y", labelcolor=theme.ink, length=0, labelsize=8.5)
    panels[0, 0].set_ylim(len(names) - 0.4, -0.7)
    drawn.supxlabel(
        f"winner minus the other on {test.prompts} test prompts, 95 % intervals over prompts; "
        "grey: open after Holm's correction",
        fontsize=7.5, color=theme.faint,
    )  # fmt: skip
    return drawn


def _panel(axes: Axes, rows: Sequence[Compared], title: str, theme: Theme) -> None:
    styled(axes, theme, title=title, grid="x")
    paper = {"boxstyle": "square,pad=0.1", "facecolor": theme.paper, "edgecolor": "none"}
    shown = {"above": theme.good, "below": theme.bad, "open": theme.faint}
    axes.axvline(0, color=theme.ink, linewidth=0.9)
    for place, one in enumerate(rows):
        gap, ink = one.gap, shown[one.outcome]
        axes.plot([gap.low, gap.high], [place, place], color=ink, linewidth=1.6)
        axes.plot([gap.mean], [place], "o", color=ink, markersize=5)
        axes.annotate(f"{gap.mean:+.3g}, p {one.p:.2g}", (gap.mean, place), xytext=(0, 7),
                      textcoords="offset points", ha="center", fontsize=7, color=theme.ink,
                      bbox=paper)  # fmt: skip
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.18)
