"""Parallel coordinates: candidates as lines over their genes, the better the stronger."""
# pyright: reportUnknownMemberType=false
# matplotlib types its keyword arguments as unknown

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sdmerge.evolve.export.figures.theme import LIGHT, Theme, figure, short, styled
from sdmerge.evolve.export.history import History
from sdmerge.evolve.genes import Candidate, Gene, positions

_SHOWN = 12


def parallel(
    history: History,
    winner: Candidate | None = None,
    first: Sequence[str] = (),
    theme: Theme = LIGHT,
) -> Figure | None:
    """The genes side by side, those of `first` before the others; None with fewer than two genes.

    Each gene goes from the lower end of its range to the upper one.
    """
    order = {name: place for place, name in enumerate(first)}
    genes = sorted(history.genes, key=lambda gene: order.get(gene.name, len(order)))[:_SHOWN]
    found = sorted(
        (trial for trial in history.searched if trial.objectives),
        key=lambda trial: trial.objectives[0],
    )
    if len(genes) < 2 or not found:
        return None
    drawn = figure(theme, 8, 4)
    left = len(history.genes) - len(genes)
    title = "candidates over genes" + (f" ({left} more genes are not shown)" if left else "")
    axes = styled(drawn.subplots(), theme, title=title, grid="x")
    across = np.arange(len(genes))
    scores = np.array([trial.objectives[0] for trial in found])
    # colours from the middle half up: failures would spend all of the scale
    norm = Normalize(float(np.quantile(scores, 0.25)), float(scores.max()))
    lines = [np.column_stack([across, positions(genes, trial.candidate)]) for trial in found]
    colours = mpl.colormaps[theme.scale](norm(scores))
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.7, alpha=0.6))
    if winner is not None:
        axes.plot(across, positions(genes, winner), color=theme.bad, linewidth=2, marker="o",
                  markersize=3.5, label="winner", clip_on=False)  # fmt: skip
        axes.legend(frameon=False, fontsize=8, labelcolor=theme.ink, loc="upper right")
    axes.set_xlim(-0.2, len(genes) - 0.8)
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([0, 1], ["low", "high"])
    names = [f"{short(gene.name)}\n{_ends(gene)}" for gene in genes]
    axes.set_xticks(across, names, rotation=40, ha="right", rotation_mode="anchor", fontsize=7)
    bar = drawn.colorbar(ScalarMappable(norm, theme.scale), ax=axes, pad=0.01)
    bar.ax.tick_params(labelsize=7.5, colors=theme.faint)
    bar.set_label(short(history.objectives[0]), color=theme.faint, fontsize=8)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return drawn


def _ends(gene: Gene) -> str:
    if gene.kind == "choice":
        return short(" | ".join(str(one) for one in gene.choices))
    return f"{gene.low:g} … {gene.high:g}" + (" log" if gene.log else "")
