"""Read and write a grid's folder."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, cast

import yaml

from sdmerge import jsonl
from sdmerge.errors import CorruptFile, FileError, InputError
from sdmerge.sample.grid.model import Axis, Cell, Grid, Value
from sdmerge.written import written

GRID, CELLS, VOTES = "grid.yaml", "cells.jsonl", "votes.jsonl"
_SUFFIXES = (".png", ".webp")


def create(folder: Path, grid: Grid) -> None:
    """Write grid.yaml, or replace it where values were added. Cells that are there stay."""
    data = {
        "title": grid.title,
        "axes": [_axis_data(axis) for axis in grid.axes],
        "settings": dict(grid.settings),
        "recipe": grid.recipe,
    }
    with written(folder / GRID) as partial:
        text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
        partial.write_text(text, "utf-8", newline="\n")


def read_grid(folder: Path) -> Grid:
    """The grid in `folder`; a FileError if there is none or it is broken."""
    path = folder / GRID
    if not path.is_file():
        hint = "Name a folder that `sdmerge grid` wrote."
        raise FileError(f"is not a grid: it holds no {GRID}", where=str(folder), hint=hint)
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
        axes = tuple(_axis(entry) for entry in data["axes"])
        settings = _values(data.get("settings") or {})
        return Grid(axes, _text(data.get("title")), _text(data.get("recipe")), settings)
    except InputError as error:
        raise CorruptFile(error.what, where=str(path), hint=error.hint) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"does not describe a grid: {_short(error)}"
        raise CorruptFile(what, where=str(path), hint="Draw the grid again.") from None


def read_cells(folder: Path) -> dict[str, Cell]:
    """Every cell by its id, in the order of first appearance; the last line of an id counts."""
    path = folder / CELLS
    return {
        cell.id: cell
        for number, entry in jsonl.read(path)
        for cell in (_cell(entry, f"{path}:{number}"),)
    }


def append_cell(folder: Path, cell: Cell, *, sync: bool = True) -> None:
    """Add a cell, or what is newly known of it: of two lines with one id the later counts.

    Without `sync` a power cut may lose it until a later one is added with it (see jsonl.append).
    """
    entry = dataclasses.asdict(cell)
    _cell(entry, str(folder / CELLS))
    jsonl.append(folder / CELLS, entry, sync=sync)


def has_picture(folder: Path, cell: Cell) -> bool:
    """Whether the cell's picture is there; a power cut may leave an empty file of it."""
    path = picture_path(folder, cell)
    return path.is_file() and path.stat().st_size > 0


def picture_path(folder: Path, cell: Cell) -> Path:
    """Where the cell's picture lies, inside `folder`."""
    return folder.joinpath(*PurePosixPath(cell.file).parts)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they look."""


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _text_node)  # pyright: ignore[reportUnknownMemberType]


def _axis_data(axis: Axis) -> dict[str, Any]:
    path = {"path": axis.path} if axis.path else {}
    return {"name": axis.name, **path, "values": list(axis.values), "labels": list(axis.labels)}


def _axis(entry: Mapping[str, Any]) -> Axis:
    values = tuple(_value(value) for value in entry["values"])
    labels = tuple(_text(label) for label in entry.get("labels") or ())
    return Axis(_text(entry["name"]), values, labels, _text(entry.get("path")))


def _cell(entry: Mapping[str, Any], where: str) -> Cell:
    try:
        seconds = entry.get("seconds")
        return Cell(
            id=_text(entry["id"]),
            values=_values(entry["values"]),
            prompt=_text(entry["prompt"]),
            seed=int(entry["seed"]),
            file=_inside(entry["file"]),
            recipe_id=_text(entry.get("recipe_id")),
            scores=_scores(entry.get("scores") or {}),
            seconds=None if seconds is None else _number(seconds),
            caption=_text(entry.get("caption")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        hint = "Remove the line; the cell is drawn again."
        what = f"this is not a cell: {_short(error)}"
        raise CorruptFile(what, where=where, hint=hint) from None


def _scores(entry: Mapping[str, Any]) -> dict[str, float]:
    return {_text(name): _number(score) for name, score in entry.items()}


def _values(entry: Mapping[str, Any]) -> dict[str, Value]:
    return {_text(name): _value(value) for name, value in entry.items()}


def _value(value: Any) -> Value:
    if value is None or isinstance(value, str | bool | int):
        return cast("Value", value)
    return _number(value)


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _inside(file: Any) -> str:
    """A picture's name, if it does not lead out of the folder: a grid may come from anyone."""
    path = PurePosixPath(_text(file))
    leads_out = path.is_absolute() or ".." in path.parts or "\\" in str(path) or ":" in str(path)
    if leads_out or path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{file!r} is not a .png or .webp inside the grid's folder")
    return str(path)


def _short(error: Exception) -> str:
    missing = isinstance(error, KeyError)
    return f"it has no {error}" if missing else str(error).replace("\n", " ")
