"""A grid of pictures as data: a folder that any run can add to and any viewer can show.

`model` holds the types, `folder` reads and writes them. Imports no torch.

    grid.yaml      title, axes with values and labels, the recipe, the settings of all cells
    cells.jsonl    a line per cell; of two with one id the later counts
    cells/         the pictures, .png or .webp, each with its own recipe inside
    votes.jsonl    a line per vote, where people have voted (sdmerge.votes)
"""

from sdmerge.sample.grid.folder import (
    CELLS,
    VOTES,
    append_cell,
    create,
    has_picture,
    picture_path,
    read_cells,
    read_grid,
)
from sdmerge.sample.grid.found import find_grids
from sdmerge.sample.grid.model import Axis, Cell, Grid, Value, cell_id, placed, value_key

__all__ = [
    "CELLS",
    "VOTES",
    "Axis",
    "Cell",
    "Grid",
    "Value",
    "append_cell",
    "cell_id",
    "create",
    "find_grids",
    "has_picture",
    "picture_path",
    "placed",
    "read_cells",
    "read_grid",
    "value_key",
]
