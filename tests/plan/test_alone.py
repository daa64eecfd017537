"""LoRAs without a base: what they are for is told by names and shapes, or does not matter."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import ROOT, Data, cli, load, metadata, planned, save
from torch import Tensor

from sdmerge.adapters import LoraFile, MappedSource, open_model
from sdmerge.errors import PlanError, SdmergeError
from sdmerge.families.export import single_file_map

BASE = ROOT / "samples" / "models" / "base"
LORAS = ROOT / "samples" / "loras"
TORII, POP, LOCON = (LORAS / f"{name}.safetensors" for name in ("torii", "pop", "pop_locon"))
TEXT = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
CROSS = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"


def data(*models: Path, **output: object) -> Data:
    listed = [{"model": str(path), "name": f"m{place}"} for place, path in enumerate(models)]
    return {"merge_method": "task_arithmetic", "models": listed,
            "output": {"layout": "lora", **output}}  # fmt: skip


def changes(path: Path) -> dict[str, Tensor]:
    lora, model = open_model(path), open_model(BASE)
    assert isinstance(lora, LoraFile)
    assert isinstance(model, MappedSource)
    source = lora.bind(model.family, model.specs, single_file_map(model.family, model.specs))
    return {key: source.read(key).double() for key in source.specs}


def module(name: str, out: int, inner: int, rank: int = 2) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(out)
    return {
        f"{name}.lora_up.weight": torch.randn(out, rank, generator=source),
        f"{name}.lora_down.weight": torch.randn(rank, inner, generator=source),
    }


@pytest.mark.parametrize("dialect", ["kohya", "diffusers", "comfyui"])
def test_narrow_loras_are_added_up(tmp_path: Path, dialect: str) -> None:
    out = tmp_path / "x.safetensors"
    said = cli("lora", "merge", TORII, LOCON, "--weight", "0.5,2", "--dialect", dialect, "-o", out)
    assert said.code == 0, said.err
    first, second, found = changes(TORII), changes(LOCON), changes(out)
    assert found.keys() == first.keys() | second.keys()
    for key, change in found.items():
        zero = torch.zeros_like(change)
        wanted = 0.5 * first.get(key, zero) + 2 * second.get(key, zero)
        assert (change - wanted).norm() <= 2e-3 * wanted.norm(), key
    assert cli("verify", out, "-q").out == "same\n"


def test_what_does_not_matter_is_left_open(tmp_path: Path) -> None:
    """A projection that two families have, under the same name and in the same block."""
    path, out = save(tmp_path / "a.safetensors", module(CROSS, 32, 24)), tmp_path / "x.safetensors"
    made = planned(data(path, rank=1))
    (note,) = [note for note in made.report.notes if "may be for" in note]
    assert "Stable Diffusion 1 or Stable Diffusion 2" in note
    assert cli("lora", "merge", path, "-o", out).code == 0
    assert "modelspec.architecture" not in metadata(out)


def test_what_matters_is_asked_for(tmp_path: Path) -> None:
    """ComfyUI calls the text encoders of the two by different names."""
    first = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    both = {**module(TEXT, 24, 24), **module(first, 32, 24)}
    path = save(tmp_path / "a.safetensors", both)
    assert planned(data(path, rank=1)).report.merged == 2
    with pytest.raises(PlanError, match="'m0' may be for Stable Diffusion 1 or") as caught:
        planned(data(path, rank=1, dialect="comfyui"))
    assert "base_model" in caught.value.hint


def test_of_one_alone_the_other_tells(tmp_path: Path) -> None:
    """What leaves open what it is for goes with what does not."""
    path = save(tmp_path / "a.safetensors", module(TEXT, 96, 96))
    made = planned(data(path, LOCON, dialect="comfyui", rank=4))
    assert made.family.name == "sd1"


def test_widths_that_differ_and_strange_names(tmp_path: Path) -> None:
    path = save(tmp_path / "a.safetensors", module(CROSS, 48, 64))
    with pytest.raises(SdmergeError, match=r"other shapes|no one model"):
        planned(data(TORII, path, rank=1))
    strange = save(tmp_path / "b.safetensors", module("lora_unet_nowhere", 8, 8))
    with pytest.raises(PlanError, match="'m0' fits no family"):
        planned(data(strange, rank=1))


def test_methods_that_look_at_pictures_need_a_model() -> None:
    recipe = {**data(TORII, POP, rank=4), "merge_method": "greedy_soup"}
    with pytest.raises(PlanError, match="greedy_soup looks at models that run"):
        planned({**recipe, "parameters": {"prompts": ["a star"]}})


def test_a_plan_counts_the_bytes_of_the_files() -> None:
    made = planned(data(TORII, POP))
    stored = sum(t.nbytes for path in (TORII, POP) for t in load(path).values())
    assert made.report.read_bytes == stored
