"""`sdmerge score GRID`: what the cells keep, and what is told along the axes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from grids import PROMPTS, TS, make_grid
from tiny import ROOT, cli

from sdmerge.sample.grid import CELLS, append_cell, picture_path, read_cells

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

SCORERS = ROOT / "samples" / "scorers"
CLIP = f"clip,model={SCORERS / 'clip_a'},name=fits"
DIVERSITY = f"diversity,model={SCORERS / 'clip_a'}"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid of t × prompt × seed."""
    return make_grid(tmp_path_factory.mktemp("drawn") / "grid", ts=TS[:2])


@pytest.fixture
def grid(drawn: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn, tmp_path / "grid")


def alone(grid: Path, tmp_path: Path) -> dict[str, float]:
    """What `score` says of each cell's picture in a folder of its own, by the cell's id."""
    found: dict[str, float] = {}
    cells = list(read_cells(grid).values())
    pictures, lines, rows = tmp_path / "alone", tmp_path / "p.jsonl", tmp_path / "rows.jsonl"
    pictures.mkdir()
    for number, cell in enumerate(cells):
        shutil.copy(picture_path(grid, cell), pictures / f"{number:03}.png")
    lines.write_text("\n".join(json.dumps({"prompt": cell.prompt}) for cell in cells), "utf-8")
    said = cli("score", pictures, "--with", CLIP, "--prompts", lines, "-o", rows)
    assert said.code == 0, said.err
    for cell, line in zip(cells, rows.read_text("utf-8").splitlines(), strict=True):
        found[cell.id] = json.loads(line)["scores"]["fits"]
    return found


def test_cells_keep_their_scores(grid: Path, tmp_path: Path) -> None:
    """By their own prompts, beside the scores they had; means along the axes; the page knows."""
    before = read_cells(grid)
    said = cli("score", grid, "--with", CLIP, "--json")
    assert said.code == 0, said.err
    (told,) = said.data["grids"]
    assert told["scored"] == len(before) == 12
    cells, wanted = read_cells(grid), alone(grid, tmp_path)
    for name, cell in cells.items():
        assert cell.scores["fits"] == pytest.approx(wanted[name], abs=1e-5)
        assert cell.scores["aesthetic"] == before[name].scores["aesthetic"]
    assert '"fits":' in (grid / "grid.html").read_text("utf-8")
    axes = {axis["axis"]: axis for axis in told["axes"]}
    assert list(axes) == ["", "t", "prompt"]
    for t, model in zip(TS[:2], axes["t"]["models"], strict=True):
        own = [cell for cell in cells.values() if cell.values["t"] == t]
        means = [np.mean([c.scores["fits"] for c in own if c.prompt == p]) for p in PROMPTS]
        assert model["scores"]["fits"]["mean"] == pytest.approx(np.mean(means))
        assert model["scores"]["fits"]["prompts"] == len(PROMPTS)
    (gap,) = axes["t"]["differences"]
    assert (gap["model"], gap["from"]) == ("0.25", "0")
    again = cli("score", grid, "--with", CLIP)
    assert "0 cells scored" in again.out
    assert "0.25" in again.out
    assert cli("score", grid, "--with", CLIP, "--force", "--json").data["grids"][0]["scored"] == 12


def test_a_file_of_captions(grid: Path, tmp_path: Path) -> None:
    lines = [{"prompt": prompt, "caption": "a red circle"} for prompt in PROMPTS]
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    assert cli("score", grid, "--with", CLIP, "--prompts", path).code == 0
    scored = read_cells(grid)
    assert cli("score", grid, "--with", CLIP, "--force").code == 0
    own = read_cells(grid)
    assert all(own[name].scores["fits"] != cell.scores["fits"] for name, cell in scored.items())
    path.write_text(json.dumps(lines[0]), "utf-8")
    said = cli("score", grid, "--with", CLIP, "--prompts", path)
    assert said.code == 2
    assert f"lack the grid's '{PROMPTS[1]}'" in said.err


def test_diversity_is_over_the_seeds_of_a_cell(grid: Path, tmp_path: Path) -> None:
    """A picture's own number is its distance to the others: of two seeds both have the same."""
    assert cli("score", grid, "--with", DIVERSITY).code == 0
    cells = list(read_cells(grid).values())
    groups: dict[tuple[object, ...], list[float]] = {}
    for cell in cells:
        groups.setdefault((cell.values["t"], cell.prompt), []).append(cell.scores["diversity"])
    assert {len(group) for group in groups.values()} == {2}
    assert all(one == pytest.approx(two, abs=1e-6) for one, two in groups.values())
    assert len({round(one, 6) for one, _ in groups.values()}) > 1
    # with a third seed the first two are no longer what they were
    make_grid(grid, ts=TS[:2], seeds=(7, 8, 9))
    for cell in cells:
        append_cell(grid, cell)
    said = cli("score", grid, "--with", DIVERSITY, "--json")
    assert said.data["grids"][0]["scored"] == 18
    single = make_grid(tmp_path / "single", ts=TS[:2], seeds=(7,))
    said = cli("score", single, "--with", DIVERSITY)
    assert said.code == 2
    assert "--seeds 2" in said.err


def test_a_grid_that_is_still_being_drawn(grid: Path) -> None:
    """Cells without a counterpart are scored; nothing is compared pair by pair."""
    path = grid / CELLS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))
    said = cli("score", grid, "--with", CLIP, "--json")
    assert said.code == 0, said.err
    axes = {axis["axis"]: axis for axis in said.data["grids"][0]["axes"]}
    assert len(axes["t"]["models"]) == 2
    assert axes["t"]["differences"] == []


@pytest.mark.parametrize(
    ("arguments", "phrases"),
    [
        (["--with", CLIP, str(ROOT / "samples")], ["is no grid, as others here are"]),
        (["--with", CLIP, "--sanity"], ["--sanity is for models"]),
        (["--with", CLIP, "-o", "x.jsonl"], ["-o is for models", "cells.jsonl"]),
        (["--with", "clop"], ["no scorer 'clop'"]),
        (["--with", "clip_image"], ["compares pictures with references"]),
        (["--with", "clip,model=none"], ["no scorer model 'none'"]),
    ],
)
def test_refusals(grid: Path, arguments: list[str], phrases: list[str]) -> None:
    before = (grid / CELLS).read_bytes()
    said = cli("score", grid, *arguments)
    assert said.code == 2, said.err
    assert all(phrase in said.err for phrase in phrases), said.err
    assert (grid / CELLS).read_bytes() == before
    assert not (grid / "grid.html").exists()


def test_a_grid_without_cells(tmp_path: Path) -> None:
    folder = make_grid(tmp_path / "grid", ts=(0.0,), seeds=(7,))
    (folder / CELLS).unlink()
    said = cli("score", folder, "--with", CLIP)
    assert said.code == 2
    assert "holds no cells yet" in said.err
