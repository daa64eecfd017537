"""Grids of coloured pictures: each says by its colours where it stands."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from sdmerge.sample.grid import Axis, Cell, Grid, append_cell, cell_id, create
from sdmerge.sample.picture import Record, save_picture

PROMPTS = ("a castle by the sea", "赤い背景に白い丸", "hands")
TS = (0.0, 0.25, 0.5, 0.75, 1.0)
SEEDS = (7, 8)
RECIPE = "merge_method: slerp\nmodels: [{model: a}, {model: b}]\nparameters: {t: 0.5}\n"


def colour(t: float, prompt: int, seed: int) -> tuple[int, int, int]:
    return round(40 + 200 * t), 60 + 60 * prompt, 40 + 25 * seed % 200


def picture(paint: tuple[int, int, int], size: tuple[int, int] = (48, 48)) -> Image.Image:
    """A flat colour with a darker corner, so that turning and cropping would show."""
    image = np.full((size[1], size[0], 3), paint, np.uint8)
    image[: size[1] // 4, : size[0] // 4] //= 2
    return Image.fromarray(image)


def score(t: float, prompt: int, seed: int) -> float:
    return round(0.25 + 0.2 * t * (1.2 - t) + 0.01 * prompt + 0.001 * seed, 4)


def make_grid(
    folder: Path,
    prompts: tuple[str, ...] = PROMPTS,
    ts: tuple[float, ...] = TS,
    seeds: tuple[int, ...] = SEEDS,
    suffix: str = ".png",
) -> Path:
    """A grid of t × prompt × seed with a score each."""
    settings = {"steps": 8, "guidance_scale": 3.0, "negative_prompt": ""}
    axes = (
        Axis("t", ts, path="parameters.t"),
        Axis("prompt", prompts),
        *([Axis("seed", seeds)] if len(seeds) > 1 else []),
    )
    create(folder, Grid(axes, "a × b", RECIPE, settings))
    for (row, prompt), seed, t in itertools.product(enumerate(prompts), seeds, ts):
        values = {"t": t, "prompt": prompt, "seed": seed}
        recipe_id = f"{round(t * 100):032x}"
        name = cell_id(values, recipe_id=recipe_id, prompt=prompt, seed=seed, settings=settings)
        record = Record(prompt, seed, RECIPE, recipe_id, settings, values)
        file = f"cells/{name}{suffix}"
        save_picture(picture(colour(t, row, seed)), folder / file, record)
        scores = {"clip": score(t, row, seed), "aesthetic": round(5 - 3 * abs(t - 0.25), 3)}
        append_cell(folder, Cell(name, values, prompt, seed, file, recipe_id, scores, 0.5))
    return folder
