"""How much a grid is, counted before anything is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grids import make_grid

from sdmerge.errors import InputError
from sdmerge.sample.grid import find_grids
from sdmerge.sample.sweep.axis import read_axis
from sdmerge.sample.sweep.extent import Extent, extent_of, seconds_per_cell
from sdmerge.workspace import Workspace


def test_cells_and_merges_are_counted() -> None:
    sides = [read_axis("parameters.t=0:1:0.25"), None, read_axis("steps=4,8")]
    found = extent_of(sides, models=["a.yaml"], prompts=["a boat", "a cat"], seeds=range(3))
    assert found == Extent(cells=5 * 2 * 2 * 3, merges=5)
    both = extent_of([None], models=["a.yaml", "b"], prompts=["a boat"], seeds=range(1))
    assert both == Extent(cells=2, merges=2)


def test_what_cannot_be_drawn_is_an_error() -> None:
    with pytest.raises(InputError, match="no prompt"):
        extent_of([read_axis("steps=4,8")], models=["a"], prompts=[], seeds=range(1))
    sides = [read_axis("parameters.t=0,1"), read_axis("t=0,1")]
    with pytest.raises(InputError, match="another axis"):
        extent_of(sides, models=["a"], prompts=["a boat"], seeds=range(1))


def test_time_is_what_pictures_took(tmp_path: Path) -> None:
    assert seconds_per_cell([]) is None
    assert seconds_per_cell([make_grid(tmp_path / "grid")]) == 0.5


def test_grids_of_a_workspace_are_found_and_none_outside(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    assert find_grids(workspace) == []
    own = make_grid(workspace.folder / "grids" / "own")
    run = make_grid(workspace.runs / "0001" / "grid")
    other = make_grid(tmp_path / "other")
    try:
        (workspace.folder / "grids" / "link").symlink_to(other, target_is_directory=True)
    except OSError:
        pytest.skip("links are not allowed here")
    assert set(find_grids(workspace)) == {own, run}


def test_a_run_that_is_removed_meanwhile_has_no_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    (workspace.runs / "0001.gone").mkdir(parents=True)
    listed = Path.iterdir

    def gone(folder: Path) -> Any:
        if folder.suffix == ".gone":
            folder.rmdir()
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", gone)
    assert find_grids(workspace) == []
