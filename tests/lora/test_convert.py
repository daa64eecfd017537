"""Conversions: every round trip bit for bit, the samples' pairs, diffusers and PEFT as judges."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file
from torch import Tensor

from sdmerge.adapters import LoraFile, MappedSource, open_model
from sdmerge.adapters.lora.saving import write_lora
from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.errors import CorruptFile, FamilyError, FileError
from sdmerge.families import FAMILIES
from sdmerge.lora.convert import convert
from tests.adapters.lora_files import narrow_specs, random_lora, write
from tests.tiny import SAMPLES, load, metadata

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend
LORAS = SAMPLES.parent / "loras"
DIALECTS: tuple[Dialect, ...] = ("kohya", "diffusers", "peft", "comfyui")


@functools.cache
def base() -> MappedSource:
    """The samples' base: an SD1, as their attention alone does not tell from an SD2."""
    opened = open_model(SAMPLES / "base")
    assert isinstance(opened, MappedSource)
    return opened


def converted(path: Path, dialect: Dialect, to: Path, **how: Any) -> Path:
    lora = open_model(path)
    assert isinstance(lora, LoraFile)
    made = convert(lora, dialect, **{"base": base(), **how})
    lora.close()
    write_lora(to, made.encoded, lora.metadata)
    return to


def target(folder: Path, dialect: Dialect, step: str = "") -> Path:
    return folder / f"{step}{dialect}{'' if dialect == 'peft' else '.safetensors'}"


def factors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A diffusers file's tensors, with the prefix that transformers has dropped."""
    old = ("text_encoder.encoder.", "text_encoder.text_model.encoder.")
    return {name.replace(*old): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("name", ["torii", "pop"])
def test_the_samples_are_pairs(name: str, tmp_path: Path) -> None:
    """The same training, written by other code in both dialects."""
    plain, kohya = LORAS / f"{name}.safetensors", LORAS / f"{name}_kohya.safetensors"
    made = load(converted(plain, "kohya", tmp_path / "k.safetensors"))
    theirs = load(kohya)
    assert made.keys() == theirs.keys()
    assert all(float(made[key]) == float(theirs[key]) for key in made if key.endswith("alpha"))
    assert all(torch.equal(made[key], theirs[key]) for key in made if not key.endswith("alpha"))
    back = load(converted(kohya, "diffusers", tmp_path / "d.safetensors"))
    assert_equal(back, factors(load(plain)))


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("torii_kohya", ("diffusers", "comfyui", "peft", "diffusers", "peft", "comfyui", "kohya")),
        ("pop_dora", ("kohya", "peft", "comfyui", "diffusers")),
        ("pop_locon", ("comfyui", "diffusers", "peft", "kohya")),
    ],
)
def test_the_way_through_the_dialects_leads_back(
    name: str, way: tuple[Dialect, ...], tmp_path: Path
) -> None:
    original = path = LORAS / f"{name}.safetensors"
    for step, dialect in enumerate(way):
        path = converted(path, dialect, target(tmp_path, dialect, str(step)))
    assert_equal(load(path), load(original))


@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_random_loras_of_other_families_go_round(family: str, tmp_path: Path) -> None:
    """Without a base, at widths that are nobody's own; in bfloat16."""
    chosen, specs = FAMILIES.get(family), narrow_specs(FAMILIES.get(family))
    path = tmp_path / "x.safetensors"
    few = r"encoder|attn2\.to_q|proj_in|conv_"
    random_lora(
        path, chosen, specs, "diffusers", rank=3, alpha=1.5, targets=few, dtype=torch.bfloat16
    )
    way = path
    for first, second in itertools.pairwise(("", *DIALECTS, "diffusers")):
        way = converted(way, second, target(tmp_path, second, f"{first}-"), base=None)
    assert_equal(load(way), load(path))


def assert_equal(made: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    assert made.keys() == wanted.keys()
    for key, tensor in wanted.items():
        assert made[key].dtype == tensor.dtype or key.endswith("alpha")
        assert torch.equal(made[key].float(), tensor.float()), key


def test_the_header_goes_along(tmp_path: Path) -> None:
    kohya = LORAS / "torii_kohya.safetensors"
    made = metadata(converted(kohya, "diffusers", tmp_path / "d.safetensors"))
    assert made.items() >= metadata(kohya).items()
    back = metadata(converted(tmp_path / "d.safetensors", "kohya", tmp_path / "k.safetensors"))
    assert back == metadata(kohya)


def test_what_fits_two_families_needs_a_base_where_it_matters(tmp_path: Path) -> None:
    torii = LORAS / "torii.safetensors"
    with pytest.raises(FamilyError, match="Stable Diffusion 1 or Stable Diffusion 2") as error:
        converted(torii, "comfyui", tmp_path / "c.safetensors", base=None)
    assert "--base MODEL" in str(error.value)
    # elsewhere the names are the same
    converted(torii, "kohya", tmp_path / "k.safetensors", base=None)


def test_wrong_models_and_strange_files_are_refused(tmp_path: Path) -> None:
    sdxl = FAMILIES.get("sdxl")
    random_lora(tmp_path / "xl.safetensors", sdxl, narrow_specs(sdxl), "kohya-sgm", rank=1)
    with pytest.raises(FamilyError, match="have no place in Stable Diffusion 1"):
        converted(tmp_path / "xl.safetensors", "kohya", tmp_path / "o.safetensors")
    tensors = load_file(LORAS / "torii.safetensors")
    write(tmp_path / "u.safetensors", {f"blocks.{k}": t for k, t in tensors.items()})
    with pytest.raises(FamilyError, match="is for no family that is known here"):
        converted(tmp_path / "u.safetensors", "kohya", tmp_path / "o.safetensors", base=None)
    write(tmp_path / "s.safetensors", {**tensors, "unet.conv_in.weight": torch.zeros(2)})
    with pytest.raises(FileError, match=r"1 tensors that are no part of a LoRA: unet\.conv_in"):
        converted(tmp_path / "s.safetensors", "kohya", tmp_path / "o.safetensors")
    double = {**tensors, **load_file(LORAS / "torii_kohya.safetensors")}
    write(tmp_path / "d.safetensors", double)
    with pytest.raises(CorruptFile, match="and another module both change"):
        converted(tmp_path / "d.safetensors", "kohya", tmp_path / "o.safetensors")
    assert not (tmp_path / "o.safetensors").exists()


def test_partial_leaves_out_what_has_no_place(tmp_path: Path) -> None:
    tensors = load_file(LORAS / "torii_kohya.safetensors")
    extra = {f"lora_te3_encoder_block_0.{end}": torch.zeros(2, 2)
             for end in ("lora_up.weight", "lora_down.weight")}  # fmt: skip
    lora = open_model(write(tmp_path / "x.safetensors", {**tensors, **extra}))
    assert isinstance(lora, LoraFile)
    with pytest.raises(FamilyError, match=r"1 of 141 modules have no place.*lora_te3"):
        convert(lora, "kohya", base=base())
    made = convert(lora, "kohya", base=base(), partial=True)
    assert list(made.left_out) == ["lora_te3_encoder_block_0"]
    assert made.encoded.modules == 140


@functools.cache
def pipeline() -> DiffusionPipeline:
    """The base in diffusers."""
    return DiffusionPipeline.from_pretrained(SAMPLES / "base")


@functools.cache
def weights(path: Path | None = None) -> dict[str, Tensor]:
    """All its weights, with a LoRA melted in; the pipeline is as before afterwards."""
    parts = {"unet": pipeline().unet, "text_encoder": pipeline().text_encoder}
    before = {part: copy.deepcopy(module.state_dict()) for part, module in parts.items()}
    if path is not None:
        pipeline().load_lora_weights(path)
        pipeline().fuse_lora()
        pipeline().unload_lora_weights()
    found = {
        f"{part}.{name}": tensor.clone()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }
    for part, module in parts.items():
        module.load_state_dict(before[part])
    return found


@pytest.mark.parametrize("name", ["torii_kohya", "pop_locon"])
def test_diffusers_reads_it_as_the_original(name: str, tmp_path: Path) -> None:
    original = LORAS / f"{name}.safetensors"
    made = weights(converted(original, "diffusers", tmp_path / "d.safetensors"))
    assert gap(made, weights(original)) < 1e-6
    assert gap(weights(), weights(original)) > 1e-2


def gap(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    return max(float((first[key] - tensor).abs().max()) for key, tensor in second.items())


def test_diffusers_reads_ranks_and_alphas_of_their_own(tmp_path: Path) -> None:
    """Every third module has another rank, every fourth another alpha; against the formula.

    Diffusers itself gets such a file wrong in kohya's names: it keeps one alpha for most modules.
    """
    tensors = load_file(LORAS / "torii_kohya.safetensors")
    modules = sorted({name.partition(".")[0] for name in tensors})
    deltas: dict[str, Tensor] = {}
    for place, module in enumerate(modules):
        down, up = tensors[f"{module}.lora_down.weight"], tensors[f"{module}.lora_up.weight"]
        alpha = 2.5 if place % 4 == 0 else 16.0
        if place % 3 == 0:
            down, up = down[:5], up[:, :5]
        deltas[module] = alpha / len(down) * up.double() @ down.double()
        tensors[f"{module}.lora_down.weight"], tensors[f"{module}.lora_up.weight"] = down, up
        tensors[f"{module}.alpha"] = torch.tensor(alpha)
    kohya = write(tmp_path / "k.safetensors", tensors)
    made = weights(converted(kohya, "diffusers", tmp_path / "d.safetensors"))
    for key, before in weights().items():
        part, _, name = key.removesuffix(".weight").partition(".")
        flat = name.removeprefix("text_model.").replace(".", "_")
        module = f"lora_{part}_{flat}" if part == "unet" else f"lora_te_text_model_{flat}"
        change = deltas.pop(module, torch.zeros(()).double())
        assert (made[key].double() - before.double() - change).abs().max() < 1e-5, key
    assert not deltas


def test_peft_reads_its_folders(tmp_path: Path) -> None:
    from peft import PeftModel

    wanted = weights(LORAS / "torii.safetensors")
    path = converted(LORAS / "torii_kohya.safetensors", "peft", tmp_path / "peft")
    fresh = DiffusionPipeline.from_pretrained(SAMPLES / "base")
    for part in ("unet", "text_encoder"):
        adapted = PeftModel.from_pretrained(getattr(fresh, part), path / part)
        merged = adapted.merge_and_unload().state_dict()
        made = {f"{part}.{name}": tensor for name, tensor in merged.items()}
        assert gap(wanted, made) < 1e-6
