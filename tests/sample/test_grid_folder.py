"""A grid's folder: what is written is read, whatever befell the run that wrote it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from grids import PROMPTS, TS, make_grid
from tiny import ROOT

from sdmerge.errors import CorruptFile, FileError, InputError
from sdmerge.sample.grid import (
    CELLS,
    Axis,
    Cell,
    Grid,
    append_cell,
    cell_id,
    create,
    picture_path,
    read_cells,
    read_grid,
)

CELL = Cell("c1", {"t": 0.5}, "赤い丸", 7, "cells/c1.png", "ab" * 16, {"clip": 0.29}, 1.5)


def test_a_grid_comes_back(tmp_path: Path) -> None:
    axes = (
        Axis("t", (0, 0.25, 1), path="parameters.t"),
        Axis("prompt", ("yes", "赤い丸\n白", "<b>&"), ("1", "2", "3")),
        Axis("none", (None, True, 1)),
    )
    grid = Grid(axes, "a: b", "merge_method: slerp\nmodels:\n- model: a\n", {"steps": 8, "n": ""})
    create(tmp_path / "new" / "grid", grid)
    assert read_grid(tmp_path / "new" / "grid") == grid
    assert axes[0].labels == ("0", "0.25", "1")
    assert axes[2].labels == ("null", "true", "1")


def test_cells_come_back_and_the_last_of_an_id_counts(tmp_path: Path) -> None:
    scored = dataclasses.replace(CELL, scores={"clip": 0.29, "hps": 0.2})
    other = dataclasses.replace(CELL, id="c2", seconds=None, recipe_id="", scores={})
    for cell in (CELL, other, scored):
        append_cell(tmp_path, cell)
    assert list(read_cells(tmp_path).items()) == [("c1", scored), ("c2", other)]
    assert picture_path(tmp_path, CELL) == tmp_path / "cells" / "c1.png"


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    folder = make_grid(tmp_path)
    whole = read_cells(folder)
    path = folder / CELLS
    content = path.read_bytes()
    for cut in (len(content) - 1, len(content) - 40, content.rindex(b"\n", 0, -1) + 1):
        path.write_bytes(content[:cut])
        left = read_cells(folder)
        lost = list(whole)[-1]
        assert list(left) == list(whole)[:-1]
        append_cell(folder, whole[lost])
        assert read_cells(folder) == whole


def test_values_may_be_added(tmp_path: Path) -> None:
    folder = make_grid(tmp_path, seeds=(7,))
    cells = read_cells(folder)
    make_grid(tmp_path / "more", ts=(*TS, 1.25), seeds=(7,))
    more = read_cells(tmp_path / "more")
    assert set(cells) < set(more)
    assert len(more) - len(cells) == len(PROMPTS)


def test_an_id_tells_all_that_a_cell_depends_on() -> None:
    told = {
        "values": {"t": 0.5, "seed": 1}, "recipe_id": "r", "prompt": "p", "seed": 1,
        "settings": {"steps": 8},
    }  # fmt: skip
    changes = [
        {"values": {"t": 0.25, "seed": 1}}, {"recipe_id": "s"}, {"prompt": "q"}, {"seed": 2},
        {"settings": {"steps": 9}},
    ]  # fmt: skip
    ids = [cell_id(**{**told, **change}) for change in ({}, *changes)]
    assert len(set(ids)) == 6
    assert ids[0] == cell_id(**{**told, "values": {"seed": 1, "t": 0.5}})


@pytest.mark.parametrize(
    "file",
    ["/etc/x.png", "../x.png", "cells/../../x.png", "c:/x.png", "cells\\x.png", "x.html", "", "x"],
)
def test_a_picture_lies_inside(tmp_path: Path, file: str) -> None:
    """A grid may come from anyone: its names must not lead to files of the reader."""
    with pytest.raises(CorruptFile, match="not a cell"):
        append_cell(tmp_path, dataclasses.replace(CELL, file=file))
    assert not (tmp_path / CELLS).exists()


@pytest.mark.parametrize(
    "change",
    ['"scores":{"clip":NaN}', '"scores":{"clip":"high"}', '"seed":"x"', '"values":[1]', '"id":1'],
)
def test_a_broken_cell_is_named(tmp_path: Path, change: str) -> None:
    append_cell(tmp_path, CELL)
    path = tmp_path / CELLS
    line = path.read_text("utf-8").strip()
    path.write_text(f"{line}\n{line[:-1]},{change}}}\n", "utf-8")
    with pytest.raises(CorruptFile) as caught:
        read_cells(tmp_path)
    assert caught.value.where == f"{path}:2"
    assert "cell is drawn again" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: x", "has no 'axes'"),
        ("axes: 3", "does not describe a grid"),
        ("- 1", "does not describe a grid"),
        ("axes: [{name: t, values: [1, 1.0]}]", "has the value 1.0 twice"),
        ("axes: [{name: t, values: [1], labels: [a, b]}]", "2 labels for 1 values"),
        ("axes: [{name: t, values: [1]}, {name: t, values: [2]}]", "names of their own"),
        ("axes: []", "names of their own"),
        ("axes: [{name: t, values: [[1]]}]", "not a number"),
        ("axes: [", "does not describe a grid"),
    ],
)
def test_a_broken_grid_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "grid.yaml").write_text(text, "utf-8")
    with pytest.raises(CorruptFile, match=r".") as caught:
        read_grid(tmp_path)
    assert said in str(caught.value)
    assert "grid.yaml" in caught.value.where


def test_what_is_not_a_grid(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"holds no grid\.yaml"):
        read_grid(tmp_path)
    with pytest.raises(InputError, match="no axis 'x'"):
        Grid((Axis("t", (1,)),)).axis("x")


def test_reading_needs_no_torch() -> None:
    code = "import sys, sdmerge.sample.grid, sdmerge.sample.viewer; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
