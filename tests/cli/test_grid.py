"""`sdmerge grid`, as a user calls it, on the samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import ROOT, cli, listing, model, recipe

from sdmerge.sample.grid import picture_path, read_cells, read_grid
from sdmerge.sample.picture import Record
from sdmerge.sample.sweep import draw
from sdmerge.sample.sweep.folder import claimed

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

SAMPLES = ROOT / "samples"
JAPANESE, UKIYOE = SAMPLES / "models" / "japanese", SAMPLES / "models" / "ukiyoe"
SLERP = f"""
merge_method: slerp
models: [{{model: {JAPANESE}}}, {{model: {UKIYOE}}}]
parameters: {{t: 0.5}}
"""
QUICK = ["--steps", "2", "--guidance", "1"]


@pytest.fixture(scope="module")
def slerp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with defaults for grids, whose prompts lie beside it."""
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "p.txt").write_text("赤い背景に白い丸\na red cross on a black background\n", "utf-8")
    grid = "grid: {x: 't=0.2,0.8', y: 'prompt=@p.txt', seed: 3, steps: 2, guidance_scale: 1.0}\n"
    return recipe(folder / "slerp.yaml", SLERP + grid)


def test_a_recipes_own_grid(slerp: Path, tmp_path: Path) -> None:
    """What the recipe says of grids, what is written, and what `sample` draws for a cell."""
    grid, sheet = tmp_path / "grid", tmp_path / "sheet.png"
    clip = f"clip,model={SAMPLES / 'scorers' / 'clip_a'}"
    said = cli("grid", slerp, "-o", grid, "--sheet", sheet, "--score", clip, "--json")
    assert said.code == 0, said.err
    assert (said.data["drawn"], said.data["kept"], said.data["merged"]) == (4, 0, 2)
    assert "4 cells of 2 recipes" in said.err
    assert "drawing: 4 of 4 cells, 0 s left" in said.err
    assert [axis.name for axis in read_grid(grid).axes] == ["t", "prompt"]
    assert read_grid(grid).settings == {"steps": 2, "guidance_scale": 1.0}
    assert "grid:" not in read_grid(grid).recipe
    assert Image.open(sheet).width > 2 * 128
    assert (grid / "grid.html").is_file()
    cells = list(read_cells(grid).values())
    assert {cell.seed for cell in cells} == {3}
    assert all(set(cell.scores) == {"clip"} for cell in cells)

    cell = next(one for one in cells if one.values["t"] == 0.8 and "丸" in one.prompt)
    picture = picture_path(grid, cell)
    shown = cli("show", picture, "--json")
    assert shown.data["recipe_id"] == cell.recipe_id
    assert "t: 0.8" in shown.data["recipe"]
    alone = tmp_path / "alone.png"
    asked = ["-p", cell.prompt, "--seed", "3", *QUICK, "--set", "t=0.8", "-o", alone]
    assert cli("sample", slerp, *asked).code == 0
    # sheets show small pictures twice as large, at the lower right
    right = np.asarray(Image.open(alone).convert("RGB")).astype(int)[-132:-4, -132:-4][::2, ::2]
    mine = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    assert np.abs(right - mine).max() <= 1

    other = cli("grid", slerp, "-o", grid, "--x", "t=0.2", "--score", f"{clip},name=two", "--json")
    assert (other.data["drawn"], other.data["kept"], other.data["scored"]) == (0, 2, 2)
    scores = [cell.scores for cell in read_cells(grid).values() if cell.values["t"] == 0.2]
    assert all(one["clip"] == pytest.approx(one["two"], abs=1e-5) for one in scores)


def test_models_prompts_and_seeds_are_axes(slerp: Path, tmp_path: Path) -> None:
    grid = tmp_path / "grid"
    asked = ["-p", "a", "-p", "b", "--seeds", "2", *QUICK, "--x", "seed", "-o", grid]
    said = cli("grid", JAPANESE, slerp, *asked, "--format", "webp", "-q")
    assert (said.code, said.out.strip()) == (0, str(grid)), said.err
    axes = read_grid(grid).axes
    assert [axis.name for axis in axes] == ["seed", "prompt", "model"]
    assert axes[2].labels == ("japanese", "slerp")
    cells = read_cells(grid).values()
    assert len(cells) == 8
    assert {picture_path(grid, cell).suffix for cell in cells} == {".webp"}


@pytest.mark.parametrize(
    ("flags", "phrases"),
    [
        (["--x", "t"], ["PATH=VALUES", "--x t"]),
        (["--x", "tt=0,1"], ["no parameter 'tt'", "--x tt=0,1"]),
        (["--x", "t=1:0:0.1"], ["empty range"]),
        (["--x", "t=0:1:0.0001", "--seeds", "9"], ["10,001 values"]),
        (["--x", "t=0:1:0.001", "--seeds", "9"], ["18,018 cells (1001 × 2 × 9)"]),
        (["--y", "t=0,1"], ["t already", "--y t=0,1"]),
        (["-p", "a castle"], ["-p is given beside an axis", "--y prompt"]),
        (["--x", "seed=1,2", "--seeds", "2"], ["--seeds is given beside", "--x seed=1,2"]),
        (["--x", "steps=1,2", "--steps", "2"], ["--steps is given beside", "--x steps=1,2"]),
        (["--x", "model=a,b", JAPANESE], ["a second model is given beside", "--x model"]),
        (["--embedding", "none.pt"], ["none.pt"]),
        (["--sheet", "x.jpg"], ["written as .png"]),
        (["--score", "clop"], ["no scorer", "'clip'"]),
        (["--score", "diversity"], ["diversity compares", "--seeds 2"]),
        (["--score", "clip_image"], ["compares pictures with references"]),
    ],
)
def test_refusals_before_any_work(
    slerp: Path, tmp_path: Path, flags: list[str], phrases: list[str]
) -> None:
    said = cli("grid", slerp, *flags, "-o", tmp_path / "grid")
    assert said.code == 2, said.err
    assert all(phrase in said.err for phrase in phrases), said.err
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("grid", "phrases"),
    [
        ("{xx: 't=0,1'}", ["no key 'xx'", "Did you mean 'x'?"]),
        ("{x: 3}", ["x should be a text"]),
        ("{seeds: many}", ["seeds should be a whole number"]),
        ("{steps: 0}", ["steps"]),
    ],
)
def test_a_recipes_grid_is_checked(tmp_path: Path, grid: str, phrases: list[str]) -> None:
    path = recipe(tmp_path / "r.yaml", f"{SLERP}grid: {grid}\n")
    said = cli("grid", path, "-p", "x", "-o", tmp_path / "grid")
    assert said.code == 2
    assert all(phrase in said.err for phrase in phrases), said.err
    assert listing(tmp_path) == ["r.yaml"]


@pytest.mark.parametrize(
    ("output", "what"),
    [("{layout: lora, rank: 4}", "is a LoRA, not a model"), ("{layout: diffusers}", "has no")],
)
def test_what_draws_nothing(tmp_path: Path, output: str, what: str) -> None:
    path = UKIYOE if "lora" in output else model("sd1", 1, components=("text_encoder",))
    base = f"base_model: {SAMPLES / 'models' / 'base'}\n" if "lora" in output else ""
    method = "task_arithmetic" if base else "linear"
    text = f"merge_method: {method}\n{base}models: [{{model: {path}}}]\noutput: {output}\n"
    said = cli("grid", recipe(tmp_path / "r.yaml", text), "-p", "x", "-o", tmp_path / "grid")
    assert said.code == 2
    assert what in said.err
    assert listing(tmp_path) == ["r.yaml"]


def test_a_second_run_is_refused(slerp: Path, tmp_path: Path) -> None:
    with claimed(tmp_path / "grid"):
        said = cli("grid", slerp, "-o", tmp_path / "grid")
    assert said.code == 2
    assert "another run is drawing this grid" in said.err
    assert not (tmp_path / "grid" / "grid.yaml").exists()


def test_ctrl_c_leaves_a_valid_grid(
    slerp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pressed when the first picture of the second batch is there, and its line is not."""
    save, saved = draw.save_picture, list[Path]()

    def stop(image: Image.Image, path: Path, record: Record) -> None:
        save(image, path, record)
        saved.append(path)
        if len(saved) == 3:
            raise KeyboardInterrupt

    grid = tmp_path / "grid"
    with monkeypatch.context() as patched:
        patched.setattr(draw, "save_picture", stop)
        said = cli("grid", slerp, "-o", grid)
    assert said.code == 130
    assert "stopped; 2 of 4 cells are there" in said.err
    assert "draws the rest" in said.err
    assert cli("view", grid, "--export", tmp_path / "sent").code == 0
    again = cli("grid", slerp, "-o", grid, "--json")
    assert (again.data["drawn"], again.data["kept"]) == (2, 2)
    lines = (grid / "cells.jsonl").read_text("utf-8").splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 4
