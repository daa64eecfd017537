"""`sdmerge sample`: models and recipes side by side, from the same noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny import SAMPLES, cli, listing, model, recipe

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

FAST = ["--steps", "1", "--size", "64x64", "--guidance", "1"]


def test_a_sheet_of_models_and_recipes(tmp_path: Path) -> None:
    one, two = model("sd1", 1, "diffusers"), model("sd1", 2, "diffusers")
    text = f"merge_method: slerp\nmodels: [{{model: {one}}}, {{model: {two}}}]\n"
    path = recipe(tmp_path / "r.yaml", text)
    (tmp_path / "prompts.txt").write_text("a castle\n\na boat\n")
    out = tmp_path / "out" / "sheet.png"
    prompts = ["-p", "a torii", "-p", f"@{tmp_path / 'prompts.txt'}"]
    said = cli("sample", one, two, path, *prompts, *FAST, "-o", out, "--json")
    assert said.code == 0, said.err
    assert said.data["prompts"] == ["a torii", "a castle", "a boat"]
    assert said.data["path"] == str(out)
    assert "3 of 3: r" in said.err
    image = Image.open(out)
    # three columns and three rows of 64 pixels, drawn twice as large
    assert 3 * 128 < image.width < 3 * 128 + 300
    assert 3 * 128 < image.height < 3 * 128 + 60
    assert listing(tmp_path / "out") == ["sheet.png"]


def test_settings_reach_every_recipe(tmp_path: Path) -> None:
    """t=0 of a slerp is its first model."""
    one, two = model("sd1", 1, "diffusers"), model("sd1", 2, "diffusers")
    text = f"merge_method: slerp\nmodels: [{{model: {one}}}, {{model: {two}}}]\n"
    path = recipe(tmp_path / "a.yaml", text)
    sheets = [tmp_path / "0.png", tmp_path / "1.png"]
    for t, sheet in enumerate(sheets):
        arguments = [path, one, "-p", "x", *FAST, "--seed", "3", "-q", "-o", sheet]
        assert cli("sample", *arguments, "--set", f"t={t}").out == f"{sheet}\n"
    for t, sheet in enumerate(sheets):
        image = np.asarray(Image.open(sheet))
        merged, plain = image[-264:-136, -132:-4], image[-132:-4, -132:-4]
        assert np.array_equal(merged, plain) == (t == 0)


@pytest.mark.parametrize(
    ("flags", "phrases"),
    [
        (["-p", "x", "-o", "x.jpg"], ["written as .png"]),
        (["-p", "@none.txt", "-o", "x.png"], ["no such file of prompts", "none.txt"]),
        (["-p", "x", "-o", "x.png", "--size", "63x64"], ["'63x64' is not a size", "512x768"]),
        (["-p", "x", "-o", "x.png", "--size", "0x64"], ["'0x64' is not a size"]),
        (["-o", "x.png"], ["--prompt"]),
        (["-p", "x", "-o", "x.png", "--steps", "0"], ["steps = 0", "1..1000"]),
        (["-p", "x", "-o", "x.png", "--sampler", "Eular"], ["'Eular'", "'Euler'"]),
        (["-p", "x", "-o", "x.png", "--lora", "x.safetensors:9"], ["outside -4..4"]),
        (["-p", "x", "-o", "x.png", "--lora", "none.safetensors:0.5"], ["no model 'none"]),
        (["-p", "x", "-o", "there.png"], ["exists already", "--force"]),
    ],
)
def test_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], phrases: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.png").write_text("mine")
    said = cli("sample", model("sd1", 1, components=("text_encoder",)), *flags)
    assert said.code == 2, said.err
    assert all(phrase in said.err for phrase in phrases)
    assert listing(tmp_path) == ["there.png"]


def test_a_model_that_draws_nothing(tmp_path: Path) -> None:
    path = model("sd1", 1, components=("text_encoder",))
    said = cli("sample", path, "-p", "x", *FAST, "-o", tmp_path / "x.png")
    assert said.code == 2
    assert "has no unet, vae" in said.err
    assert listing(tmp_path) == []


def test_settings_loras_and_embeddings(tmp_path: Path) -> None:
    """Each of them changes the picture, and a LoRA at weight 0 does not."""
    base = SAMPLES / "base"
    pop = SAMPLES.parent / "loras" / "pop.safetensors"
    save_file({"emb_params": torch.ones(1, 96)}, tmp_path / "style.safetensors")
    plain = ["-p", "a red cross, style", "--steps", "2", "--guidance", "3"]
    flags: dict[str, list[object]] = {
        "plain": [],
        "zero": ["--lora", f"{pop}:0"],
        "lora": ["--lora", f"{pop}:0.8"],
        "sampler": ["--sampler", "euler a"],
        "clip": ["--clip-skip", "2"],
        "negative": ["--negative-prompt", "blue"],
        "embedding": ["--embedding", tmp_path / "style.safetensors"],
    }
    drawn: dict[str, bytes] = {}
    for name, more in flags.items():
        out = tmp_path / f"{name}.png"
        said = cli("sample", base, *plain, *more, "-o", out)
        assert said.code == 0, said.err
        drawn[name] = np.asarray(Image.open(out)).tobytes()
    assert drawn["zero"] == drawn["plain"]
    assert len(set(drawn.values())) == len(drawn) - 1


def test_a_distilled_model_is_drawn_as_it_wants(tmp_path: Path) -> None:
    said = cli("sample", SAMPLES / "distilled", "-p", "a red cross", "-o", tmp_path / "x.png")
    assert said.code == 0, said.err
    assert "distilled, as distilled says: --steps 4 --guidance-scale 1" in said.err
    more = ["--steps", "1", "--guidance", "1"]
    said = cli("sample", SAMPLES / "distilled", "-p", "x", *more, "-o", tmp_path / "y.png")
    assert "distilled" not in said.err.replace("1 of 1: distilled", "")
