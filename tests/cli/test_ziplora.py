"""`sdmerge lora ziplora`: an ordinary LoRA that draws what was trained."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors import safe_open
from torch import Tensor

from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.denoising import noisy
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sinks.provenance import read_origin

BASE = tiny.SAMPLES / "base"
LORAS = [tiny.ROOT / "samples" / "loras" / f"{name}.safetensors" for name in ("torii", "pop")]
SHORT = ("--updates", 2, "--rate", 0.3, "--samples", 1, "--steps", 1, "--dtype", "float32")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fused LoRA; the workspace beside it keeps the mergers."""
    folder = tmp_path_factory.mktemp("zip")
    for name in ("torii", "pop"):
        (folder / f"{name}.txt").write_text(f"a red {name}\n", "utf-8")
    said = tiny.cli(
        "--workspace", folder / "space", "lora", "ziplora", *LORAS, "--base", BASE,
        "--prompts", f"{folder / 'torii.txt'},{folder / 'pop.txt'}", *SHORT,
        "-o", folder / "both.safetensors",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "fidelity torii" in said.out
    assert "distance" in said.out
    return folder / "both.safetensors"


def says(pipeline: Any) -> Tensor:
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return noisy(pipeline, latent, 1).predicted(pipeline, ["a red torii"])


@functools.cache
def plain() -> Any:
    models = [{"model": str(BASE)}]
    return build_pipeline(plan(recipe_from_data({"merge_method": "passthrough", "models": models})))


def test_it_gives_what_was_trained_in_plain_diffusers(made: Path) -> None:
    recipe = read_origin(made).recipe
    models = [
        {"model": str(path), "name": path.stem, "parameters": {"prompts": [f"a red {path.stem}"]}}
        for path in LORAS
    ]
    data = {
        "merge_method": "ziplora", "base_model": str(BASE), "models": models,
        "parameters": {"updates": 2, "rate": 0.3, "samples": 1, "steps": 1},
    }  # fmt: skip
    assert [stage.method for stage in recipe.stages] == ["ziplora"]
    cache = made.parent / "space" / "cache" / "sha256.json"
    # without a probe: what was found is kept, and nothing is trained again
    wanted = says(build_pipeline(plan(recipe_from_data(data), cache=cache)))
    before = says(plain())
    plain().load_lora_weights(made.parent, weight_name=made.name)
    found = says(plain())
    plain().unload_lora_weights()
    assert float((found - wanted).norm() / wanted.norm()) < 1e-3
    assert float((before - wanted).norm() / wanted.norm()) > 1e-2


def test_its_rank_is_the_sum_of_the_ranks(made: Path) -> None:
    with safe_open(made, "pt") as file:
        shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118  no dict
    ranks = {shape[0] for key, shape in shapes.items() if ".lora_A." in key}
    assert ranks <= {8, 16, 24}
    assert 24 in ranks


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((LORAS[0], "--base", BASE), "one LoRA alone"),
        (LORAS, "mergers are trained on a model"),
        ((*LORAS, "--base", BASE), "needs prompts"),
        ((*LORAS, "--base", BASE, "--method", "ties"), "`sdmerge lora merge`"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, arguments: Any, said: str) -> None:
    told = tiny.cli("lora", "ziplora", *arguments, "-o", tmp_path / "out.safetensors")
    assert told.code == 2
    assert said in told.err
    assert not list(tmp_path.iterdir())


def test_pictures_take_the_place_of_what_is_drawn(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("torii", "pop")]
    pictures = sorted((tiny.ROOT / "samples" / "references" / "test").glob("*.png"))
    for folder in folders:
        folder.mkdir()
        shutil.copy(pictures[0], folder)
        (folder / f"{pictures[0].stem}.txt").write_text(f"a {folder.name}", "utf-8")
    out = tmp_path / "both.safetensors"
    said = tiny.cli(
        "lora", "ziplora", *LORAS, "--base", BASE, *SHORT,
        "--references", ",".join(map(str, folders)), "-o", out,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "references: torii" in tiny.cli("show", out).out
