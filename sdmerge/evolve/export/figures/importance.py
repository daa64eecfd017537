"""Importance: a bar per gene for how well it tells good candidates from the rest."""
# pyright: reportUnknownMemberType=false
# matplotlib types its keyword arguments as unknown

from __future__ import annotations

from matplotlib.figure import Figure

from sdmerge.evolve.export.figures.theme import LIGHT, Theme, figure, short, styled
from sdmerge.evolve.export.history import History
from sdmerge.evolve.export.importances import importances

_SHOWN = 24


def importance(history: History, theme: Theme = LIGHT) -> Figure | None:
    """A bar per gene, the most important first; None where nothing can be said."""
    shares = importances(history)
    if not shares:
        return None
    shown = list(shares.items())[:_SHOWN]
    drawn = figure(theme, 8, 0.9 + 0.22 * len(shown))
    axes = styled(drawn.subplots(), theme, title="importance of genes (PED-ANOVA)", grid="x")
    names = [short(name, 60) for name, _ in shown]
    places = range(len(shown))
    axes.barh(places, [share for _, share in shown], color=theme.accent, height=0.62)
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", labelcolor=theme.ink, length=0)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    rest = len(shares) - len(shown)
    axes.set_xlabel("share" + (f"; {rest} genes with less are not shown" if rest else ""))
    return drawn
