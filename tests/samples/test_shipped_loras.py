"""The shipped LoRAs: in plain diffusers, in both spellings, and as parts of merges."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from samples.train.measure import FEW, generate
from samples.train.paths import LORAS, MODELS
from sdmerge.cli.main import run

NAMES = ("torii", "torii_kohya", "pop", "pop_kohya", "pop_dora", "pop_locon", "few_step")
PROMPTS = ["a red torii on a white background", "a blue star on a yellow background"]


def _drawn(name: str | None) -> Tensor:
    pipeline: StableDiffusionPipeline = DiffusionPipeline.from_pretrained(
        MODELS / "base", dtype=torch.float32
    )
    if name:
        pipeline.load_lora_weights(LORAS, weight_name=f"{name}.safetensors")
    return generate(pipeline, PROMPTS, FEW)


@pytest.fixture(scope="module")
def drawn() -> dict[str | None, Tensor]:
    """Pictures of the base alone, and with each LoRA."""
    return {name: _drawn(name) for name in (None, *NAMES)}


def test_each_loads_in_plain_diffusers_and_shows(drawn: dict[str | None, Tensor]) -> None:
    for name in NAMES:
        assert (drawn[name] - drawn[None]).abs().mean() > 0.02, name


@pytest.mark.parametrize("name", ["torii", "pop"])
def test_both_spellings_draw_the_same(drawn: dict[str | None, Tensor], name: str) -> None:
    assert (drawn[name] - drawn[f"{name}_kohya"]).abs().max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_alpha_is_not_the_rank(name: str) -> None:
    with safe_open(LORAS / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        header = file.metadata()
    if "ss_network_module" in header:
        alphas = {tensor.item() for key, tensor in tensors.items() if key.endswith(".alpha")}
        ranks = {len(tensor) for key, tensor in tensors.items() if "lora_down" in key}
    else:
        settings = json.loads(header["lora_adapter_metadata"])
        alphas = {settings["unet.lora_alpha"]}
        ranks = {len(tensor) for key, tensor in tensors.items() if "lora_A" in key}
    assert len(alphas) == len(ranks) == 1
    assert alphas != ranks


def test_the_kinds_are_what_they_say() -> None:
    dora, locon, torii = (
        load_file(LORAS / f"{name}.safetensors") for name in ("pop_dora", "pop_locon", "torii")
    )
    assert any("lora_magnitude_vector" in key for key in dora)
    kernels = {tuple(value.shape[2:]) for key, value in locon.items() if "lora_down" in key}
    assert {(3, 3), ()} <= kernels
    assert any(key.startswith("text_encoder.") for key in torii)


def test_few_step_is_the_difference_of_distilled(tmp_path: Path) -> None:
    """Base + LoRA, merged by sdmerge, is the shipped student up to the rounding to half."""
    arguments = ["merge", str(MODELS / "base"), str(LORAS / "few_step.safetensors")]
    arguments += ["--method", "task_arithmetic", "--base", str(MODELS / "base")]
    assert run([*arguments, "-o", str(tmp_path / "student"), "--dtype", "float16", "-q"]) == 0
    unet = Path("unet") / "diffusion_pytorch_model.safetensors"
    merged, shipped = load_file(tmp_path / "student" / unet), load_file(MODELS / "distilled" / unet)
    base = load_file(MODELS / "base" / unet)
    moved = 0
    for key, tensor in shipped.items():
        wanted = tensor.float()
        # both are rounded to half, and the shipped base was before the LoRA was added to it
        slack = 2**-11 * (base[key].float().abs() + 2 * wanted.abs()) + 2**-23
        assert ((merged[key].float() - wanted).abs() <= slack).all(), key
        moved += bool((base[key].float() - wanted).abs().max() > 0.01)
    assert moved > 100
