"""Extent: how much a grid would be, before anything is read or drawn. Imports no torch."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdmerge.sample.grid import read_cells
from sdmerge.sample.sweep.axis import Part, Side, models_axis, prompts_axis, seeds_axis
from sdmerge.sample.sweep.cells import arranged, spots
from sdmerge.scoring.prompts import Line


@dataclass(frozen=True, slots=True)
class Extent:
    """cells: pictures to draw. merges: recipes and models among them, each merged once."""

    cells: int
    merges: int


def extent_of(
    placed: Sequence[Side | None],
    *,
    models: Sequence[str],
    prompts: Sequence[str],
    seeds: Sequence[int],
) -> Extent:
    """What `sdmerge grid` would draw of these axes, with several models, prompts and seeds as axes
    of their own. Axes that contradict each other and grids that are too large are InputErrors.
    """
    lines = [Line(text, text) for text in prompts]
    implied = [seeds_axis(seeds), models_axis(models), *([prompts_axis(lines)] if lines else [])]
    by_path = {side.axis.path: side for side in implied}
    order = [by_path[name] for name in ("prompt", "model", "seed") if name in by_path]
    start = Part(model=models[0], line=lines[0] if lines else None, seed=seeds[0])
    cells = spots(arranged(placed, order), start)
    return Extent(len(cells), len({(cell.model, cell.settings) for cell in cells}))


def seconds_per_cell(folders: Iterable[Path]) -> float | None:
    """The median of what pictures of these grids took to draw; None where none says so."""
    known = [
        cell.seconds for folder in folders for cell in read_cells(folder).values() if cell.seconds
    ]
    return statistics.median(known) if known else None
