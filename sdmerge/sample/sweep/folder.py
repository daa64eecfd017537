"""A grid's folder for the run that draws into it: one at a time, and only one grid."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sdmerge.claim import claim
from sdmerge.errors import InputError
from sdmerge.sample.grid import CELLS, VOTES, Grid, picture_path, read_cells, read_grid
from sdmerge.sample.grid.folder import GRID

_LOCK = "grid.lock"


def claimed(folder: Path) -> AbstractContextManager[None]:
    """The folder for this run alone; a second run is refused."""
    hint = "Wait for it, or draw into another folder."
    return claim(folder, _LOCK, taken="another run is drawing this grid", hint=hint)


def check_folder(folder: Path, grid: Grid, *, force: bool) -> None:
    """Refuse a folder that holds something else, as far as `force` does not allow for it."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError("is a file, where a grid needs a folder", where=str(folder))
    if not (folder / GRID).is_file():
        if any(item.name != _LOCK for item in folder.iterdir()):
            hint = "Choose another name; grids are drawn into folders of their own."
            raise InputError("holds other things than a grid", where=str(folder), hint=hint)
        return
    other = _difference(read_grid(folder), grid)
    if other and not force:
        hint = "Choose another folder, or pass --force to draw this one anew."
        raise InputError(f"holds a grid {other}", where=str(folder), hint=hint)
    if other and (folder / VOTES).exists():
        hint = "Choose another folder, or move the votes away first."
        raise InputError(f"holds a grid {other}, and {VOTES} on it", where=str(folder), hint=hint)


def clear_other(folder: Path, grid: Grid) -> None:
    """Remove the cells of another grid, after `check_folder` allowed for it."""
    if not (folder / GRID).is_file() or not _difference(read_grid(folder), grid):
        return
    for cell in read_cells(folder).values():
        picture_path(folder, cell).unlink(missing_ok=True)
    (folder / CELLS).unlink(missing_ok=True)


def _difference(old: Grid, new: Grid) -> str:
    """What makes them two grids: recipe or settings. Values and axes may come and go."""
    if old.recipe != new.recipe:
        return "of another recipe"
    if dict(old.settings) != dict(new.settings):
        names = {*old.settings, *new.settings}
        told = [
            f"{name} {old.settings.get(name, 'as it suits the model')}"
            for name in sorted(names)
            if old.settings.get(name) != new.settings.get(name)
        ]
        return f"with {', '.join(told)}"
    return ""
