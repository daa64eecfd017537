"""What the page is told of a grid."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from sdmerge.sample.grid import Axis, Cell, Grid, picture_path, placed, read_cells, read_grid

_TYPES = {".png": "image/png", ".webp": "image/webp"}
_USUAL = (1, 1)


def grid_data(folder: Path, *, inline: bool) -> dict[str, Any]:
    """Axes, settings and every cell that lies on the axes; pictures as data: if `inline`."""
    grid = read_grid(folder)
    shown = placed(grid, read_cells(folder).values())
    data = {
        "id": _identity(grid),
        "title": grid.title,
        "axes": [_axis(axis) for axis in grid.axes],
        "settings": dict(grid.settings),
        "size": _size(folder, shown.values()),
        "cells": [_cell(cell, at) for at, cell in shown.items()],
    }
    if inline:
        data["pictures"] = {
            cell.file: _inlined(picture_path(folder, cell)) for cell in shown.values()
        }
    return data


def _identity(grid: Grid) -> str:
    """Tells grids apart whose votes one browser keeps; values may be added."""
    told = json.dumps([grid.title, grid.recipe, [axis.name for axis in grid.axes]])
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def _axis(axis: Axis) -> dict[str, Any]:
    return {"name": axis.name, "values": list(axis.values), "labels": list(axis.labels)}


def _cell(cell: Cell, at: tuple[int, ...]) -> dict[str, Any]:
    return {
        "id": cell.id,
        "at": at,
        "prompt": cell.prompt,
        "seed": cell.seed,
        "recipe": cell.recipe_id,
        "scores": dict(cell.scores),
        "seconds": cell.seconds,
        "file": cell.file,
    }


def _size(folder: Path, cells: Iterable[Cell]) -> tuple[int, int]:
    """Width and height of the first picture that can be read."""
    for cell in cells:
        with contextlib.suppress(OSError), Image.open(picture_path(folder, cell)) as image:
            return image.size
    return _USUAL


def _inlined(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f"data:{_TYPES[path.suffix.lower()]};base64,{content}"
