"""Found: the grids of a workspace."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sdmerge.sample.grid.folder import CELLS, GRID
from sdmerge.workspace import Workspace


def find_grids(workspace: Workspace) -> list[Path]:
    """Folders with a grid in them, what was drawn last first: those of runs, and those in grids/.

    A link that leads out of the workspace is none of its grids.
    """
    base = workspace.folder.resolve()
    runs = (inner for run in _below(workspace.runs) for inner in _below(run))
    places = (*runs, *_below(workspace.folder / "grids"))
    found = [
        (_changed(one), one) for one in places if (one / GRID).is_file() and _inside(one, base)
    ]
    return [one for _, one in sorted(found, reverse=True)]


def _below(folder: Path) -> list[Path]:
    """What is in a folder; nothing where there is none, or where somebody just removed it."""
    with contextlib.suppress(OSError):
        return list(folder.iterdir())
    return []


def _inside(folder: Path, base: Path) -> bool:
    return folder.resolve().is_relative_to(base)


def _changed(folder: Path) -> float:
    for name in (CELLS, GRID):
        with contextlib.suppress(OSError):
            return (folder / name).stat().st_mtime
    return 0.0
