"""The names and settings that are written, and what a dialect has no words for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdmerge.adapters import LoraFile, open_model
from sdmerge.adapters.lora.learned import read_learned
from sdmerge.adapters.lora.parts import ALPHA, DOWN, MAGNITUDE, UP, Parts, parts_of
from sdmerge.adapters.lora.saving import check_target, write_lora
from sdmerge.adapters.lora.spelling import Dialect, Spelling
from sdmerge.adapters.lora.targets import Targets
from sdmerge.adapters.lora.writing import encode
from sdmerge.errors import FamilyError, FileError, InputError
from sdmerge.families import FAMILIES, SINGLE_FILE, Family, single_file_map
from sdmerge.lowrank import Factors
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store

from .lora_files import narrow_specs, speller, trained

SD1, SD2, SDXL = FAMILIES.get("sd1"), FAMILIES.get("sd2"), FAMILIES.get("sdxl")
ATTENTION = "unet.mid_block.attentions.0.transformer_blocks.0.attn1"
ENCODER = "text_encoder.encoder.layers.0.self_attn"


def drawn(shape: tuple[int, ...], rank: int = 2, scale: float = 0.5) -> Parts:
    up = torch.randn(shape[0], rank)
    down = torch.randn(rank, torch.Size(shape[1:]).numel())
    return parts_of(Factors(up, down, scale), shape)


def some(family: Family, *keys: str, **how: float) -> dict[str, Parts]:
    specs = narrow_specs(family)
    return {key: drawn(specs[key].shape, **how) for key in keys}


@pytest.mark.parametrize(
    ("family", "dialect", "theirs"),
    [
        (SD1, "kohya", "kohya"),
        (SD2, "kohya", "kohya"),
        (SDXL, "kohya", "kohya-sgm"),
        (SD1, "diffusers", "diffusers"),
        (SDXL, "diffusers", "diffusers"),
        (SD1, "comfyui", "comfyui"),
        (SDXL, "comfyui", "comfyui"),
    ],
)
def test_every_name_is_the_one_that_is_read(family: Family, dialect: Dialect, theirs: str) -> None:
    """Against the tests' own spelling of all modules."""
    specs = narrow_specs(family)
    spelling, spell = Spelling(family, specs, dialect), speller(family, specs, theirs)
    keys = trained(specs)
    assert len(keys) > 250
    for key in keys:
        (place,) = spelling.places(key)
        assert place.is_renamed
        assert spell(key, "down").startswith(f"{place.module}."), key


@pytest.mark.parametrize(
    ("family", "dialect", "key", "name"),
    [
        (SD1, "kohya", f"{ENCODER}.q_proj", "lora_te_text_model_encoder_layers_0_self_attn_q_proj"),
        (SD1, "kohya", "unet.down_blocks.0.downsamplers.0.conv",
         "lora_unet_down_blocks_0_downsamplers_0_conv"),
        (SDXL, "kohya", f"{ENCODER}.q_proj",
         "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"),
        (SDXL, "kohya", "text_encoder_2.encoder.layers.1.mlp.fc1",
         "lora_te2_text_model_encoder_layers_1_mlp_fc1"),
        (SDXL, "kohya", "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0",
         "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_out_0"),
        (SDXL, "kohya", "unet.up_blocks.0.resnets.2.time_emb_proj",
         "lora_unet_output_blocks_2_0_emb_layers_1"),
        (SDXL, "kohya", "unet.add_embedding.linear_1", "lora_unet_label_emb_0_0"),
        (SD1, "comfyui", "unet.conv_in", "diffusion_model.input_blocks.0.0"),
        (SD2, "comfyui", f"{ENCODER}.k_proj",
         "text_encoders.clip_h.transformer.text_model.encoder.layers.0.self_attn.k_proj"),
        (SDXL, "comfyui", "text_encoder_2.text_projection",
         "text_encoders.clip_g.transformer.text_projection"),
        (SDXL, "diffusers", "text_encoder_2.text_projection", "text_encoder_2.text_projection"),
        (SD1, "peft", f"{ENCODER}.k_proj",
         "text_encoder.base_model.model.encoder.layers.0.self_attn.k_proj"),
    ],
)  # fmt: skip
def test_names_as_trainers_write_them(
    family: Family, dialect: Dialect, key: str, name: str
) -> None:
    spelling = Spelling(family, narrow_specs(family), dialect)
    assert [place.module for place in spelling.places(f"{key}.weight")] == [name]


def fused_family() -> Family:
    """A model of OpenCLIP alone, whose single file has q, k and v in one: kohya trains such."""
    return replace(SD2, components=(SD2.component("text_encoder"),), kohya=SINGLE_FILE)


def test_a_fused_weight_is_written_and_read_back(tmp_path: Path) -> None:
    family = fused_family()
    specs = {key: spec for key, spec in narrow_specs(SD2).items() if key.startswith("text_e")}
    projections = [f"{ENCODER}.{name}_proj.weight" for name in "qkv"]
    learned = {
        key: drawn(specs[key].shape, rank=rank)
        for key, rank in zip(projections, (1, 2, 3), strict=True)
    }
    learned[f"{ENCODER}.out_proj.weight"] = drawn(specs[f"{ENCODER}.out_proj.weight"].shape)
    encoded = encode(learned, family, specs, "kohya")
    module = "lora_unet_transformer_resblocks_0_attn_in_proj"
    assert encoded.tensors[f"{module}.lora_down.weight"].shape == (6, 48)
    assert encoded.modules == 2
    # readers know that it is a text encoder, which is no main component elsewhere
    named = {name.replace("lora_unet_", "lora_te_"): t for name, t in encoded.tensors.items()}
    write_lora(tmp_path / "x.safetensors", replace(encoded, tensors=named), {})
    again = read_back(tmp_path / "x.safetensors", family, specs)
    assert again.keys() == learned.keys()
    for key, parts in learned.items():
        assert (delta(again[key]) - delta(parts)).abs().max() < 1e-12
    # once dealt out, they share a factor, and go together without a rank more
    twice = encode(again, family, specs, "kohya")
    assert {k: t.tolist() for k, t in twice.tensors.items()} == {
        k: t.tolist() for k, t in encoded.tensors.items()
    }


def delta(parts: Parts) -> Tensor:
    scale = float(parts[ALPHA]) / len(parts[DOWN])
    return scale * parts[UP].double().flatten(1) @ parts[DOWN].double().flatten(1)


def read_back(path: Path, family: Family, specs: dict[str, TensorSpec]) -> dict[str, Parts]:
    lora = open_model(path)
    assert isinstance(lora, LoraFile)
    targets = Targets(family, specs, single_file_map(family, specs))
    learned = read_learned(lora, targets, specs)
    lora.close()
    assert not learned.lost
    return dict(learned.parts)


def test_scales_stand_where_the_dialect_has_them() -> None:
    specs = narrow_specs(SD1)
    keys = [f"{ATTENTION}.{name}.weight" for name in ("to_q", "to_k", "to_v")]
    learned = some(SD1, *keys[:2]) | some(SD1, keys[2], rank=3, scale=2.0)
    kohya = encode(learned, SD1, specs, "kohya").tensors
    alphas = [float(value) for name, value in kohya.items() if name.endswith(".alpha")]
    assert alphas == [1.0, 1.0, 6.0]
    settings = encode(learned, SD1, specs, "diffusers").settings["unet"]
    module = "^mid_block.attentions.0.transformer_blocks.0.attn1.to_v"
    assert settings["r"] == 2
    assert settings["lora_alpha"] == 1
    assert settings["rank_pattern"] == {module: 3}
    assert settings["alpha_pattern"] == {module: 6}
    diffusers = encode(learned, SD1, specs, "diffusers").tensors
    assert not [name for name in diffusers if "alpha" in name]


def test_a_lora_without_an_alpha_gets_its_rank() -> None:
    """Readers differ in what a missing one means."""
    learned = some(SD1, f"{ATTENTION}.to_q.weight", rank=3)
    bare = {key: {DOWN: one[DOWN], UP: one[UP]} for key, one in learned.items()}
    encoded = encode(bare, SD1, narrow_specs(SD1), "comfyui")
    assert [float(t) for name, t in encoded.tensors.items() if name.endswith("alpha")] == [3.0]


def test_half_precision_leaves_alpha_alone() -> None:
    learned = some(SD1, f"{ATTENTION}.to_q.weight", scale=0.1)
    encoded = encode(learned, SD1, narrow_specs(SD1), "kohya", dtype="F16")
    dtypes = {name.rpartition(".")[2]: t.dtype for name, t in encoded.tensors.items()}
    assert dtypes == {"weight": torch.float16, "alpha": torch.float32}


LOHA = {f"hada_w{place}": torch.rand(2, 2) for place in ("1_a", "1_b", "2_a", "2_b")}


@pytest.mark.parametrize(
    ("dialect", "parts", "why"),
    [
        ("diffusers", LOHA, "LoHa"),
        ("peft", {"w_norm": torch.rand(4)}, "norm"),
        ("peft", {"diff": torch.rand(4)}, "full difference"),
        ("kohya", {"oft_R.weight": torch.rand(4)}, "PEFT's OFT"),
        ("diffusers", {**drawn((96, 96)), MAGNITUDE: torch.rand(1, 96)}, "DoRA by column"),
    ],
)
def test_what_a_dialect_cannot_say_is_named(dialect: Dialect, parts: Parts, why: str) -> None:
    key, fine = f"{ATTENTION}.to_q.weight", f"{ATTENTION}.to_k.weight"
    learned = {key: parts, **some(SD1, fine)}
    specs = narrow_specs(SD1)
    with pytest.raises(FamilyError, match=rf"1 of 2 modules.*{dialect}: {why} \(1\).*to_q"):
        encode(learned, SD1, specs, dialect)
    encoded = encode(learned, SD1, specs, dialect, partial=True)
    assert encoded.left_out == {key: why}
    assert encoded.modules == 1


def test_other_kinds_are_carried_as_they_are() -> None:
    learned: dict[str, Parts] = {f"{ATTENTION}.to_q.weight": {**LOHA, ALPHA: torch.tensor(1.0)}}
    encoded = encode(learned, SD1, narrow_specs(SD1), "kohya")
    module = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    assert encoded.tensors.keys() == {f"{module}.{part}" for part in (*LOHA, "alpha")}
    assert all(torch.equal(encoded.tensors[f"{module}.{part}"], LOHA[part]) for part in LOHA)


def test_peft_knows_one_kind_per_network() -> None:
    key, plain = f"{ATTENTION}.to_q.weight", f"{ATTENTION}.to_k.weight"
    learned = some(SD1, key, plain, f"{ENCODER}.q_proj.weight")
    learned[key] = {**learned[key], MAGNITUDE: torch.rand(96, 1)}
    with pytest.raises(FamilyError, match=r"LoRA among DoRAs \(1\)"):
        encode(learned, SD1, narrow_specs(SD1), "diffusers")
    encoded = encode(learned, SD1, narrow_specs(SD1), "diffusers", partial=True)
    assert encoded.left_out == {plain: "LoRA among DoRAs"}
    assert encoded.settings["unet"]["use_dora"] is True
    assert encoded.settings["text_encoder"]["use_dora"] is False


def test_dora_of_a_part_of_a_fused_weight_is_refused() -> None:
    family = fused_family()
    specs = {key: spec for key, spec in narrow_specs(SD2).items() if key.startswith("text_e")}
    key = f"{ENCODER}.q_proj.weight"
    learned = {key: {**drawn(specs[key].shape), MAGNITUDE: torch.rand(48, 1)}}
    with pytest.raises(FamilyError, match="DoRA of a part of a fused weight"):
        encode(learned, family, specs, "kohya")


def test_the_vae_has_no_name_in_any_dialect() -> None:
    learned = some(SD1, "vae.encoder.conv_in.weight")
    for dialect in ("kohya", "diffusers", "peft", "comfyui"):
        with pytest.raises(FamilyError, match=r"no name \(1\)"):
            encode(learned, SD1, narrow_specs(SD1), dialect)


def test_metadata_that_hold_of_other_bytes_are_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    encoded = encode(some(SD1, f"{ATTENTION}.to_q.weight"), SD1, narrow_specs(SD1), "kohya")
    told = {
        "ss_output_name": "x",
        "sshs_model_hash": "1",
        "lora_adapter_metadata": "{}",
        "modelspec.hash_sha256": "0xff",
    }
    write_lora(path, encoded, told)
    store = open_store(path)
    found = dict(store.metadata)
    store.close()
    assert found["ss_output_name"] == "x"
    assert not {"sshs_model_hash", "lora_adapter_metadata"} & found.keys()
    import hashlib

    raw = path.read_bytes()
    data = raw[8 + int.from_bytes(raw[:8], "little") :]
    assert found["modelspec.hash_sha256"] == f"0x{hashlib.sha256(data).hexdigest()}"


def test_one_network_is_one_folder_and_two_are_two(tmp_path: Path) -> None:
    specs = narrow_specs(SD1)
    one = encode(some(SD1, f"{ATTENTION}.to_q.weight"), SD1, specs, "peft")
    write_lora(tmp_path / "one", one, {})
    assert {item.name for item in (tmp_path / "one").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    keys = (f"{ATTENTION}.to_q.weight", f"{ENCODER}.q_proj.weight")
    learned = some(SD1, *keys, scale=3.0)
    write_lora(tmp_path / "two", encode(learned, SD1, specs, "peft"), {})
    assert {item.name for item in (tmp_path / "two").iterdir()} == {"unet", "text_encoder"}
    again = read_back(tmp_path / "two", SD1, dict(specs))
    assert all(torch.equal(delta(again[key]), delta(learned[key])) for key in keys)
    (tmp_path / "two" / "unet" / "adapter_config.json").unlink()
    with pytest.raises(FileError, match=r"adapter_config.json: is missing"):
        open_model(tmp_path / "two")


def test_targets_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    file, folder = tmp_path / "x.safetensors", tmp_path / "x"
    folder.mkdir()
    (folder / "mine.txt").write_text("")
    file.write_bytes(b"")
    for path, dialect, said in (
        (file, "kohya", "exists already"),
        (file, "peft", "a PEFT adapter is a folder"),
        (folder, "kohya", "one .safetensors file"),
        (folder, "peft", "exists already"),
        (tmp_path / "no" / "x.safetensors", "kohya", "the folder does not exist"),
    ):
        with pytest.raises(InputError, match=said):
            check_target(path, dialect, force=False)
    check_target(file, "kohya", force=True)
    check_target(tmp_path / "new", "peft", force=False)
    with pytest.raises(InputError, match="is not a PEFT adapter's folder"):
        check_target(folder, "peft", force=True)
    (folder / "adapter_config.json").write_text(json.dumps({}))
    check_target(folder, "peft", force=True)
