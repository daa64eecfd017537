"""Cells per second of a grid, against the loop that people write.

`python -m benchmarks.grid --folder DIR` sweeps a SLERP of the sample models over eight Japanese
prompts and scores every picture with a CLIP. Each round does it both ways by turns: as `sdmerge
grid` does, and by the naive loop: per recipe, merge into a folder and load it with from_pretrained;
per cell, draw one picture, save it and score it. Also measured is which share of the grid's time
passes outside the forward passes of UNet, VAE and scorer. `--record` writes grid.json and the
README's table; `--quick` takes few cells, to try the script.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.forward import Forward
from benchmarks.report import HERE, benchmark, keep, put, table
from sdmerge.live import LiveMerge
from sdmerge.merge import run
from sdmerge.plan import plan
from sdmerge.recipe import Recipe, recipe_from_data
from sdmerge.sample.draw import Drawer
from sdmerge.sample.grid import Grid, create
from sdmerge.sample.sweep.axis import Part, prompts_axis, read_axis, seeds_axis
from sdmerge.sample.sweep.cells import Spot, arranged, spots
from sdmerge.sample.sweep.draw import Sweep, Tools, draw_sweep
from sdmerge.sample.sweep.variants import variants
from sdmerge.scorers import SCORERS
from sdmerge.scoring.choice import parse_choice
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.panel import Panel, Shown, open_panel
from sdmerge.scoring.prompts import read_prompts
from sdmerge.sinks import FolderSink

SAMPLES = HERE.parent / "samples"
DATA: dict[str, Any] = {
    "merge_method": "slerp",
    "models": [{"model": str(SAMPLES / "models" / name)} for name in ("japanese", "ukiyoe")],
}


def main() -> None:
    """Print the figures as JSON, and write them where they are shown if asked to."""
    benchmark(__doc__, measure_all, record)


def measure_all(options: Any) -> dict[str, float]:
    """Medians over rounds."""
    # a folder of its own: what is there is removed
    folder: Path = options.folder / "grid-benchmark"
    cells = asked(quick=options.quick)
    panel = open_panel(
        [parse_choice(f"clip,model={SAMPLES / 'scorers' / 'clip_b'}")], SCORERS, Loader()
    )
    measure(asked(quick=True), panel, folder)  # imports, and caches of the machine
    rounds = [measure(cells, panel, folder, turn) for turn in range(1 if options.quick else 3)]
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def asked(*, quick: bool) -> tuple[Any, list[Spot]]:
    """The axes and the cells."""
    lines = read_prompts(SAMPLES / "prompts" / "first.txt")[: 2 if quick else None]
    values, seeds = ("0.3,0.6", 1) if quick else ("0.3:0.7:0.1", 2)
    sides = arranged([read_axis(f"t={values}"), prompts_axis(lines), seeds_axis(range(seeds))], [])
    sampling = {"steps": 2 if quick else 8, "guidance_scale": 3.0}
    return sides, spots(sides, Part(model="benchmark", sampling=sampling))


def measure(
    cells: tuple[Any, list[Spot]], panel: Panel, folder: Path, turn: int = 0
) -> dict[str, float]:
    """Both ways, one after the other."""
    found: dict[str, float] = {}
    for way in (grid, naive) if turn % 2 else (naive, grid):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        found |= way(*cells, panel, folder)
    shutil.rmtree(folder)
    found["naive to grid"] = found["naive seconds"] / found["grid seconds"]
    print(json.dumps(found), file=sys.stderr, flush=True)  # noqa: T201
    return found


def recipe(model: str, settings: tuple[str, ...]) -> Recipe:
    """The SLERP with a cell's settings."""
    return recipe_from_data(DATA, model, None, settings)


def grid(sides: Any, cells: Sequence[Spot], panel: Panel, folder: Path) -> dict[str, float]:
    """As `sdmerge grid` does it, from the recipes to the last line."""
    forward = Forward()
    with forward.drawing():
        begin = time.perf_counter()
        cache = folder / "sha256.json"
        with LiveMerge() as live:
            found = variants(
                cells, sides, recipe, lambda one: plan(one, opened=live.opened, cache=cache)
            )
            sweep = Sweep(Grid(tuple(side.axis for side in sides)), tuple(found))
            create(folder / "grid", sweep.grid)
            tools = Tools(live, Drawer(live), forward.scoring(panel))
            draw_sweep(sweep, folder / "grid", tools)
        seconds = time.perf_counter() - begin
    return {
        "grid seconds": seconds,
        "grid cells per second": len(cells) / seconds,
        "share outside forward": 1 - forward.seconds() / seconds,
    }


def naive(_: Any, cells: Sequence[Spot], panel: Panel, folder: Path) -> dict[str, float]:
    """As a script does it: save and load every recipe, draw and score cell by cell."""
    from diffusers import DiffusionPipeline

    begin = time.perf_counter()
    last: tuple[str, ...] = ()
    pipeline: Any = None
    scores: list[float] = []
    for number, spot in enumerate(cells):
        if spot.settings != last:
            target = folder / f"model-{number}"
            run(plan(recipe(spot.model, spot.settings)), FolderSink(target))
            pipeline = DiffusionPipeline.from_pretrained(target, dtype=torch.float32)
            pipeline.set_progress_bar_config(disable=True)
            last = spot.settings
        image = pipeline(
            spot.line.prompt,
            generator=torch.Generator("cpu").manual_seed(spot.seed),
            num_inference_steps=spot.sampling.steps,
            guidance_scale=spot.sampling.guidance_scale,
        ).images[0]
        image.save(folder / f"{number}.png")
        scores += [one.scores["clip"] for one in panel.score([Shown(image, spot.line, 0)])]
    seconds = time.perf_counter() - begin
    assert len(scores) == len(cells)
    return {"naive seconds": seconds, "naive cells per second": len(cells) / seconds}


def record(figures: Mapping[str, Any]) -> None:
    """Write grid.json and the table."""
    keep("grid", figures)
    rows = [(name, f"{value:.3g}") for name, value in figures.items() if isinstance(value, float)]
    text = table(["figure", "value"], rows)
    put("grid", f"{text}\n\n{figures['cores']} cores. {figures['note']}".strip())


if __name__ == "__main__":
    main()
