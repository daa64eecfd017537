"""Grids drawn by a real LiveMerge on the sample models: how often it merges, and what outlives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from PIL import Image

from sdmerge.errors import FileError, InputError, RecipeError
from sdmerge.live import LiveMerge, Shown
from sdmerge.plan import plan
from sdmerge.recipe import Recipe, recipe_from_data
from sdmerge.sample.draw import Drawer, Picture, Shot
from sdmerge.sample.grid import CELLS, Grid, create, picture_path, read_cells
from sdmerge.sample.picture import read_record
from sdmerge.sample.settings import Sampling
from sdmerge.sample.sweep.axis import Part, prompts_axis, read_axis, seeds_axis
from sdmerge.sample.sweep.cells import arranged, spots
from sdmerge.sample.sweep.draw import Done, Sweep, Tools, draw_sweep
from sdmerge.sample.sweep.folder import check_folder, claimed, clear_other
from sdmerge.sample.sweep.variants import recipe_text, variants
from sdmerge.scoring.prompts import Line

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

PARENTS = [{"model": str(tiny.SAMPLES / name), "name": name[:2]} for name in ("japanese", "ukiyoe")]
SLERP = {"merge_method": "slerp", "models": PARENTS, "parameters": {"t": 0.5}}
TIES = {
    "merge_method": "ties",
    "base_model": str(tiny.SAMPLES / "base"),
    "models": [
        {**PARENTS[0], "parameters": {"weight": 1.0}},
        {**PARENTS[1], "parameters": {"weight": 0.5}},
    ],
}
PROMPTS = ["a red cross on a black background", "赤い背景に白い丸"]
QUICK = {"steps": 2, "guidance_scale": 1.0}
TOLD = {"steps": 2, "guidance_scale": 1.0}


class Watched(LiveMerge):
    """A real LiveMerge that keeps what it did."""

    def __init__(self, folder: Path) -> None:
        super().__init__(memory=1 << 30)
        self.cache = folder / "sha256.json"
        self.shown: list[Shown] = []

    def show(self, plan: Any, **options: Any) -> Shown:
        done = super().show(plan, **options)
        self.shown.append(done)
        return done


class Stops(Drawer):
    """Draws so many pictures, and then the process dies."""

    left = 0

    def draw(self, shots: Sequence[Shot], **options: Any) -> Iterator[Picture]:
        for picture in super().draw(shots, **options):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            yield picture


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return Watched(tmp_path_factory.mktemp("hashes"))


def sweep_of(
    live: Watched,
    *axes: str,
    data: dict[str, Any] = SLERP,
    prompts: Sequence[str] = PROMPTS,
    seeds: Sequence[int] = (5,),
) -> Sweep:
    def read(model: str, settings: tuple[str, ...]) -> Recipe:
        return recipe_from_data(data, model, None, settings)

    placed = [read_axis(text, f"--x {text}") for text in axes]
    lines = [Line(text, text) for text in prompts]
    sides = arranged(placed, [prompts_axis(lines), seeds_axis(seeds)])
    start = Part(model="recipe", sampling=QUICK, line=lines[0], seed=seeds[0])
    found = variants(
        spots(sides, start), sides, read,
        lambda one: plan(one, opened=live.opened, cache=live.cache),
    )  # fmt: skip
    text = recipe_text(recipe_from_data(data))
    return Sweep(Grid(tuple(side.axis for side in sides), "", text, TOLD), tuple(found))


def drawn(live: LiveMerge, sweep: Sweep, folder: Path, drawer: Drawer | None = None) -> Done:
    create(folder, sweep.grid)
    return draw_sweep(sweep, folder, Tools(live, drawer or Drawer(live)))


def pixels(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()}


def test_one_merge_per_recipe(live: Watched, tmp_path: Path) -> None:
    """Sixteen cells of two recipes: two merges, and the second writes what differs."""
    sweep = sweep_of(live, "t=0.2,0.7", "steps=1,2", seeds=(5, 6))
    live.shown.clear()
    done = drawn(live, sweep, tmp_path)
    assert (done.drawn, done.kept, done.merged, len(live.shown)) == (16, 0, 2, 2)
    assert live.shown[1].tensors > 0
    cells = list(read_cells(tmp_path).values())
    assert len({cell.recipe_id for cell in cells}) == 2
    places = [{**cell.values} for cell in cells]
    wanted = [
        {"t": t, "prompt": prompt, "steps": steps, "seed": seed}
        for t in (0.2, 0.7) for steps in (1, 2) for prompt in PROMPTS for seed in (5, 6)
    ]  # fmt: skip
    assert places == wanted
    assert all(cell.seconds and cell.seconds > 0 for cell in cells)


def test_a_cell_is_what_the_recipe_draws_alone(live: Watched, tmp_path: Path) -> None:
    """By a pipeline of its own, which was never anything else."""
    from sdmerge.sample.pipeline import build_pipeline

    sweep = sweep_of(live, "t=0.2,0.7", seeds=(5, 6))
    drawn(live, sweep, tmp_path)
    cell = next(
        cell for cell in read_cells(tmp_path).values()
        if cell.values == {"t": 0.7, "prompt": PROMPTS[1], "seed": 6}
    )  # fmt: skip
    data = {**SLERP, "parameters": {"t": 0.7}}
    alone = Drawer(build_pipeline(plan(recipe_from_data(data), cache=live.cache)))
    (picture,) = alone.draw([Shot(PROMPTS[1], 6, Sampling(2, 1.0))])
    path = picture_path(tmp_path, cell)
    assert np.abs(pixels(path) - np.asarray(picture.image).astype(int)).max() <= 1
    record = read_record(path)
    assert (record.prompt, record.seed, record.recipe_id) == (PROMPTS[1], 6, cell.recipe_id)
    assert "t: 0.7" in record.recipe
    assert record.settings["steps"] == 2
    assert record.values == cell.values


def test_a_killed_run_continues(live: Watched, tmp_path: Path) -> None:
    """Killed in the middle, and its last line is half written."""
    sweep = sweep_of(live, "t=0.2,0.7")
    drawer = Stops(live)
    drawer.left = 3
    with pytest.raises(KeyboardInterrupt):
        drawn(live, sweep, tmp_path, drawer)
    assert len(read_cells(tmp_path)) == 3
    lines = tmp_path / CELLS
    lines.write_bytes(lines.read_bytes()[:-40])
    assert len(read_cells(tmp_path)) == 2
    before = stamps(tmp_path)
    done = drawn(live, sweep, tmp_path)
    assert (done.drawn, done.kept) == (2, 2)
    cells = read_cells(tmp_path)
    assert len(cells) == 4
    kept = [Path(cell.file).name for cell in list(cells.values())[:2]]
    assert [stamps(tmp_path)[name] for name in kept] == [before[name] for name in kept]
    picture_path(tmp_path, next(iter(cells.values()))).unlink()
    assert drawn(live, sweep, tmp_path).drawn == 1


def test_a_new_row_draws_only_its_cells(live: Watched, tmp_path: Path) -> None:
    drawn(live, sweep_of(live, "t=0.2,0.7"), tmp_path)
    before = stamps(tmp_path)
    live.shown.clear()
    done = drawn(live, sweep_of(live, "t=0.2,0.4,0.7"), tmp_path)
    assert (done.drawn, done.kept, done.merged, len(live.shown)) == (2, 4, 1, 1)
    assert before.items() <= stamps(tmp_path).items()
    # an axis more: what was there is a part of it
    done = drawn(live, sweep_of(live, "t=0.2,0.7", seeds=(5, 6)), tmp_path)
    assert (done.drawn, done.kept) == (4, 4)
    assert before.items() <= stamps(tmp_path).items()


def test_a_changed_model_is_drawn_again(live: Watched, tmp_path: Path) -> None:
    copy = tiny.copy(tiny.SAMPLES / "ukiyoe", tmp_path / "mine")
    data = {**SLERP, "models": [PARENTS[0], {"model": str(copy)}]}
    grid = tmp_path / "grid"
    drawn(live, sweep_of(live, "t=0.2", data=data), grid)
    shutil.copytree(tiny.SAMPLES / "base" / "unet", copy / "unet", dirs_exist_ok=True)
    fresh = Watched(tmp_path)
    assert drawn(fresh, sweep_of(fresh, "t=0.2", data=data), grid).drawn == 2
    assert drawn(fresh, sweep_of(fresh, "t=0.2", data=data), grid).drawn == 0


@pytest.mark.parametrize(
    ("axis", "data", "error", "phrases"),
    [
        ("tt=0,1", SLERP, RecipeError, ["no parameter 'tt'", "--x tt=0,1"]),
        ("stteps=1,2", SLERP, RecipeError, ["--x stteps=1,2", "'steps'"]),
        ("models[2].parameters.weight=1", TIES, RecipeError, ["models[2]", "ja, uk", "--x"]),
        ("nobody.t=1", SLERP, RecipeError, ["there is no 'nobody'", "--x nobody.t=1"]),
        ("t=0,2", SLERP, RecipeError, ["t = 2", "--x t=0,2"]),
        ("merge_method=slerp,sleep", SLERP, RecipeError, ["sleep", "'slerp'", "--x"]),
        ("weight=0,1", TIES, InputError, ["none of its values changes anything", "--x weight=0,1"]),
        ("recipe.seed=1,2", SLERP, InputError, ["changes anything", "--x recipe.seed"]),
    ],
)
def test_axes_that_address_nothing(
    live: Watched, axis: str, data: dict[str, Any], error: type[Exception], phrases: list[str]
) -> None:
    with pytest.raises(error) as caught:
        sweep_of(live, axis, data=data)
    assert all(phrase in str(caught.value) for phrase in phrases), str(caught.value)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        claimed(tmp_path),
        pytest.raises(FileError, match="another run is drawing"),
        claimed(tmp_path),
    ):
        pass
    with claimed(tmp_path):
        pass


def test_whose_folder_it_is(live: Watched, tmp_path: Path) -> None:
    grid = sweep_of(live, "t=0.2").grid
    check_folder(tmp_path / "none", grid, force=False)
    folder = tmp_path / "grid"
    drawn(live, sweep_of(live, "t=0.2", prompts=PROMPTS[:1]), folder)
    check_folder(folder, grid, force=False)
    other = Grid(grid.axes, "", grid.recipe.replace("slerp", "nuslerp"), TOLD)
    slower = Grid(grid.axes, "", grid.recipe, {**TOLD, "steps": 8, "sampler": "DDIM"})
    for one, what in ((other, "of another recipe"), (slower, "sampler as it suits .*, steps 2")):
        with pytest.raises(InputError, match=f"holds a grid .*{what}") as caught:
            check_folder(folder, one, force=False)
        assert "--force" in caught.value.hint
        check_folder(folder, one, force=True)
    clear_other(folder, grid)
    assert len(read_cells(folder)) == 1
    (folder / "votes.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"votes\.jsonl"):
        check_folder(folder, other, force=True)
    clear_other(folder, other)
    assert tiny.listing(folder / "cells") == []
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other things"):
        check_folder(tmp_path, grid, force=True)
    with pytest.raises(InputError, match="is a file"):
        check_folder(tmp_path / "mine.txt", grid, force=True)
