"""A grid to send: a folder that opens from a disk, or one file with all pictures inside."""

from __future__ import annotations

import shutil
from pathlib import Path

from sdmerge.errors import FileError, InputError
from sdmerge.sample.grid import picture_path, read_cells
from sdmerge.sample.grid.folder import CELLS, GRID
from sdmerge.sample.viewer.page import page
from sdmerge.tensors.partial_folder import whole_folder
from sdmerge.written import written

PAGE = "grid.html"


def write_page(folder: Path) -> Path:
    """Write the page into the grid's own folder, in place of an older one; its path."""
    text = page(folder)
    with written(folder / PAGE) as partial:
        partial.write_text(text, "utf-8", newline="\n")
    return folder / PAGE


def export(folder: Path, target: Path, *, single_file: bool = False, force: bool = False) -> Path:
    """Write the grid in `folder` to `target` for someone else; the page to open.

    A folder holds the page, the pictures and the grid's data, and is a grid in itself. A single
    file, NAME.html, holds everything. Votes stay behind: others should vote unswayed.
    """
    if target.exists() and not force:
        hint = "Choose another name, or pass --force to replace it."
        raise InputError("exists already", where=str(target), hint=hint)
    if single_file:
        if target.suffix.lower() not in (".html", ".htm"):
            raise InputError("a single file is written as .html", where=str(target))
        _refuse_missing(folder)
        text = page(folder, inline=True)
        with written(target) as partial:
            partial.write_text(text, "utf-8", newline="\n")
        return target
    return _export_folder(folder, target)


def _export_folder(folder: Path, target: Path) -> Path:
    if folder.resolve() == target.resolve() or folder.resolve() in target.resolve().parents:
        raise InputError("lies in the grid that it is made from", where=str(target))
    if target.exists() and not (target / GRID).is_file():
        hint = "Only an exported grid is replaced; choose another name."
        raise InputError("is not a grid", where=str(target), hint=hint)
    _refuse_missing(folder)
    with whole_folder(target) as partial:
        _copy(folder, partial)
    return target / PAGE


def _copy(folder: Path, to: Path) -> None:
    to.mkdir(parents=True)
    for name in (GRID, CELLS):
        shutil.copyfile(folder / name, to / name)
    for cell in read_cells(folder).values():
        copy = picture_path(to, cell)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture_path(folder, cell), copy)
    write_page(to)


def _refuse_missing(folder: Path) -> None:
    cells = read_cells(folder)
    missing = [cell.file for cell in cells.values() if not picture_path(folder, cell).is_file()]
    if missing:
        names = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        what = f"{len(missing)} of {len(cells)} pictures are missing: {names}"
        hint = "Draw the grid again; only these cells are drawn."
        raise FileError(what, where=str(folder), hint=hint)
    if not cells:
        raise FileError("has no pictures yet", where=str(folder), hint="Draw the grid first.")
