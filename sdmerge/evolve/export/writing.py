"""What an export writes: the winner's recipe, figures, the report.

OUT/winner.yaml     the winner as a recipe
OUT/model…          the merged model, written by whoever calls
OUT/report.html     everything below in one page
OUT/*.png           curve, forest (the test), gallery, values, blocks, importance, parallel,
front: those there is something to show of
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from sdmerge.evolve.export import figures
from sdmerge.evolve.export.gallery import gallery_sheet
from sdmerge.evolve.export.history import History, Validation
from sdmerge.evolve.export.report import Shown, report
from sdmerge.evolve.export.verdict import Table, table_of
from sdmerge.evolve.export.winner import winner_text
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe
from sdmerge.written import write

WINNER, REPORT = "winner.yaml", "report.html"

Draw = Callable[[figures.Theme], Figure | None]


def write_report(
    history: History,
    chosen: Validation,
    recipe: Recipe,
    *,
    sampling: Mapping[str, Scalar],
    study: Path,
    out: Path,
) -> list[Path]:
    """Write all but the model into the folder `out`; the paths, the report last.

    recipe: The winner's, as seen from `out`, drawn with `sampling`. study: The study's folder, for
        the gallery.
    """
    out.mkdir(parents=True, exist_ok=True)
    found = table_of(history.test, history.lower) if history.test is not None else None
    text = winner_text(recipe, chosen, history, sampling)
    paths = [_text(out / WINNER, text)]
    drawn: dict[str, tuple[bytes, bytes]] = {}
    for name, draw in _draws(history, chosen, found).items():
        both = [draw(theme) for theme in (figures.LIGHT, figures.DARK)]
        light, dark = (figures.png(one) if one is not None else b"" for one in both)
        if light:
            drawn[name] = (light, dark)
            paths.append(_bytes(out / f"{name}.png", light))
    gallery = out / "gallery.png"
    if gallery_sheet(study, gallery):
        paths.append(gallery)
    shown = Shown(drawn, gallery.read_bytes() if gallery in paths else b"")
    return [*paths, _text(out / REPORT, report(history, chosen, found, text, shown))]


def _draws(history: History, chosen: Validation, found: Table | None) -> dict[str, Draw]:
    winner = chosen.candidate
    order = [*figures.importances(history)]
    return {
        "curve": lambda theme: figures.curve(history, theme),
        "forest": lambda theme: figures.forest(history, found, theme) if found else None,
        "front": lambda theme: figures.front(history, theme),
        "values": lambda theme: figures.values(history, winner, theme),
        "blocks": lambda theme: figures.blocks(history, winner, theme),
        "importance": lambda theme: figures.importance(history, theme),
        "parallel": lambda theme: figures.parallel(history, winner, order, theme),
    }


def _text(path: Path, text: str) -> Path:
    return _bytes(path, text.encode())


def _bytes(path: Path, content: bytes) -> Path:
    write(path, content)
    return path
