"""Gene values: those of blocks as curves over the blocks, the others on their ranges."""
# pyright: reportUnknownMemberType=false
# matplotlib types its keyword arguments as unknown

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdmerge.evolve.export.figures.theme import LIGHT, Theme, colour, figure, legend, short, styled
from sdmerge.evolve.export.history import History
from sdmerge.evolve.genes import Candidate, Gene, positions

_FEWEST = 3
"""Members of a group from which on it is drawn as a curve."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Genes of one address that differ in the last part of their name: a block, a layer."""

    title: str
    genes: tuple[Gene, ...]

    @property
    def labels(self) -> list[str]:
        return [gene.name.rpartition("/")[2] for gene in self.genes]


def blocks(history: History, winner: Candidate, theme: Theme = LIGHT) -> Figure | None:
    """A panel per set of blocks, a curve per parameter and model; None if no gene has a block."""
    groups = _groups(history.genes)
    panels: dict[tuple[str, ...], list[_Group]] = {}
    for group in groups:
        panels.setdefault(tuple(group.labels), []).append(group)
    if not panels:
        return None
    drawn = figure(theme, 8, 0.5 + 2.7 * len(panels))
    grid = drawn.subplots(len(panels), 1, squeeze=False)
    for axes, (labels, own) in zip(grid[:, 0], panels.items(), strict=True):
        _curves(axes, labels, own, winner, theme)
    return drawn


def values(history: History, winner: Candidate, theme: Theme = LIGHT) -> Figure | None:
    """Where the winner's values lie on their ranges; None if all genes belong to blocks."""
    grouped = {gene.name for group in _groups(history.genes) for gene in group.genes}
    genes = [gene for gene in history.genes if gene.name not in grouped]
    if not genes:
        return None
    drawn = figure(theme, 8, 0.8 + 0.3 * len(genes))
    axes = styled(drawn.subplots(), theme, title="the winner's values on their ranges", grid="")
    starts = positions(genes, {gene.name: gene.init for gene in genes})
    ends = positions(genes, winner)
    down = range(len(genes))
    axes.hlines(down, 0, 1, color=theme.line, linewidth=3)
    axes.scatter(starts, down, s=26, facecolors=theme.paper, edgecolors=theme.faint, zorder=3,
                 label="start")  # fmt: skip
    axes.scatter(ends, down, s=34, color=theme.accent, zorder=4, label="winner")
    for place, gene in enumerate(genes):
        low, high = _range(gene)
        told = _told(winner[gene.name])
        axes.text(-0.01, place, low, ha="right", va="center", fontsize=7, color=theme.faint)
        axes.text(1.01, place, high, ha="left", va="center", fontsize=7, color=theme.faint)
        axes.annotate(short(told, 24), (ends[place], place), xytext=(0, 6), ha="center",
                      textcoords="offset points", fontsize=7, color=theme.ink)  # fmt: skip
    axes.set_yticks(down, [short(gene.name, 52) for gene in genes])
    axes.tick_params(axis="y", labelcolor=theme.ink, length=0, pad=34)
    axes.set_xticks([])
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(len(genes) - 0.5, -0.8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    legend(axes, theme, loc="upper center", ncols=2, bbox_to_anchor=(0.5, 0))
    return drawn


def _groups(genes: tuple[Gene, ...]) -> list[_Group]:
    """Genes with the same name up to the last slash, of numbers and three at least."""
    found: dict[str, list[Gene]] = {}
    for gene in genes:
        head, slash, _ = gene.name.rpartition("/")
        if slash and gene.kind != "choice":
            found.setdefault(head, []).append(gene)
    return [_Group(head, tuple(own)) for head, own in found.items() if len(own) >= _FEWEST]


def _curves(
    axes: Axes, labels: tuple[str, ...], groups: list[_Group], winner: Candidate, theme: Theme
) -> None:
    styled(axes, theme, title="the winner's values over the blocks")
    across = range(len(labels))
    for place, group in enumerate(groups):
        heights = [float(winner[gene.name]) for gene in group.genes]
        axes.plot(across, heights, color=colour(theme, place), marker="o", markersize=4,
                  linewidth=1.2, label=short(group.title, 48))  # fmt: skip
    starts = {float(gene.init) for group in groups for gene in group.genes}
    for place, start in enumerate(sorted(starts)[:3]):
        axes.axhline(start, color=theme.faint, linewidth=0.9, linestyle=(0, (2, 3)),
                     label="" if place else "start")  # fmt: skip
    axes.set_xticks(
        across, [short(one) for one in labels], rotation=60 if len(labels) > 10 else 0, fontsize=7
    )
    axes.margins(x=0.02, y=0.12)
    axes.legend(frameon=False, fontsize=7.5, labelcolor=theme.ink, loc="upper left",
                bbox_to_anchor=(1.0, 1.0))  # fmt: skip


def _range(gene: Gene) -> tuple[str, str]:
    if gene.kind == "choice":
        return short(_told(gene.choices[0]), 10), short(_told(gene.choices[-1]), 14)
    return f"{gene.low:g}", f"{gene.high:g}"


def _told(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
