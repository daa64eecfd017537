"""The shipped models: they load alone, draw, and the single file is the same model."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from safetensors.torch import load_file
from torch import Generator, Tensor

from samples.oracle import load_oracle
from samples.train.draw import draw
from samples.train.measure import generate
from samples.train.paths import MODELS, SAMPLES
from samples.train.world import HELD_OUT, Picture

NAMES = ("base", "japanese", "ukiyoe")
PARTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


def _tensors(name: str, part: str) -> dict[str, Tensor]:
    return load_file(MODELS / name / part / PARTS[part])


@pytest.mark.parametrize("name", NAMES)
def test_folder_loads_alone_and_draws(name: str) -> None:
    pipeline = DiffusionPipeline.from_pretrained(MODELS / name, dtype=torch.float32)
    prompts = ["a red star on a white background", "白い背景に赤い星"]
    images = generate(pipeline, prompts)
    assert images.shape == (2, 3, 64, 64)
    assert images.isfinite().all()
    assert images.std() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_folder_has_sd1s_keys_in_half_precision(name: str) -> None:
    counts = {part: len(_tensors(name, part)) for part in PARTS}
    assert counts["unet"] == 686
    assert counts["vae"] == 248
    assert all(key.startswith("text_model.") for key in _tensors(name, "text_encoder"))
    for part in PARTS:
        assert {tensor.dtype for tensor in _tensors(name, part).values()} == {torch.float16}
    files = {path.name for path in (MODELS / name / "tokenizer").iterdir()}
    assert files == {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"}


def test_models_share_their_autoencoder() -> None:
    first, *others = (_tensors(name, "vae") for name in NAMES)
    for other in others:
        assert all(torch.equal(tensor, other[key]) for key, tensor in first.items())


def test_single_file_is_the_folder_through_diffusers_converters() -> None:
    tensors = load_file(MODELS / "ukiyoe.safetensors")
    configs = {part: _config(MODELS / "ukiyoe" / part) for part in ("unet", "vae")}
    unet = convert_ldm_unet_checkpoint(dict(tensors), dict(configs["unet"]))
    vae = convert_ldm_vae_checkpoint(dict(tensors), configs["vae"])
    start = "cond_stage_model.transformer."
    text = {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}
    positions = text.pop("text_model.embeddings.position_ids")
    assert positions.tolist() == [list(range(24))]
    for part, converted in {"unet": unet, "vae": vae, "text_encoder": text}.items():
        folder = _tensors("ukiyoe", part)
        assert converted.keys() == folder.keys()
        assert all(torch.equal(converted[key], tensor) for key, tensor in folder.items())


def _config(folder: Path) -> dict[str, object]:
    return json.loads((folder / "config.json").read_text("utf-8"))


def test_oracle_knows_drawn_pictures() -> None:
    oracle, shown = load_oracle(), [Picture(*triple) for triple in HELD_OUT]
    for style in ("plain", "ukiyoe", "pop"):
        images, _ = draw(shown, style, Generator().manual_seed(4))
        said = oracle.judge(images)
        pairs = zip(said.shape, said.foreground, said.background, said.style, shown, strict=True)
        right = [(s, f, b) == p.triple and kind == style for s, f, b, kind, p in pairs]
        assert sum(right) >= 0.97 * len(right)


def test_everything_is_small() -> None:
    folders = ("models", "loras", "scorers", "pictures", "prompts", "references")
    files = [path for name in folders for path in (SAMPLES / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 80_000_000
    assert all(path.stat().st_size < 12_000_000 for path in files)
    assert all(path.stat().st_size < 200_000 for path in files if path.suffix == ".png")
