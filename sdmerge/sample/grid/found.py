"""Found: the grids of a workspace."""

from __future__ import annotations

from pathlib import Path

from sdmerge.sample.grid.folder import CELLS, GRID
from sdmerge.workspace import Workspace


def find_grids(workspace: Workspace) -> list[Path]:
    """Folders with a grid in them, what was drawn last first: those of runs, and those in grids/.

    A link that leads out of the workspace is none of its grids.
    """
    base = workspace.folder.resolve()
    places = (*workspace.runs.glob("*/*"), *(workspace.folder / "grids").glob("*"))
    found = [one for one in places if (one / GRID).is_file() and _inside(one, base)]
    return sorted(found, key=_changed, reverse=True)


def _inside(folder: Path, base: Path) -> bool:
    return folder.resolve().is_relative_to(base)


def _changed(folder: Path) -> float:
    cells = folder / CELLS
    return (cells if cells.is_file() else folder / GRID).stat().st_mtime
