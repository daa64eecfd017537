"""Keys taken apart, and modules found by name among a base's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sdmerge.adapters.lora.file import open_lora
from sdmerge.adapters.lora.names import Slot, spellings, split_key, split_module
from sdmerge.adapters.lora.origin import likely_families, own_specs
from sdmerge.adapters.lora.targets import Targets, flatten
from sdmerge.families import FAMILIES, Family
from sdmerge.tensors.store import open_store

from .lora_files import DIALECTS, narrow_file, narrow_specs, random_lora, trained

KEYS = {
    "lora_unet_conv_in.lora_down.weight": ("lora_unet_conv_in", "down"),
    "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": (
        "lora_te_text_model_encoder_layers_0_mlp_fc1",
        "alpha",
    ),
    "unet.mid_block.attentions.0.proj_in.lora_B.weight": (
        "unet.mid_block.attentions.0.proj_in",
        "up",
    ),
    "base_model.model.conv_in.lora_A.default.weight": ("base_model.model.conv_in", "down"),
    "base_model.model.conv_in.lora_B.my-style.weight": ("base_model.model.conv_in", "up"),
    "unet.a.attn1.processor.to_q_lora.down.weight": ("unet.a.attn1.processor.to_q", "down"),
    "unet.a.attn1.to_out.0.lora.up.weight": ("unet.a.attn1.to_out.0", "up"),
    "text_encoder.a.q_proj.lora_linear_layer.up.weight": ("text_encoder.a.q_proj", "up"),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_split_into_module_and_role(key: str) -> None:
    slot = split_key(key)
    assert slot is not None
    assert (slot.module, slot.role, slot.kind) == (*KEYS[key], "LoRA")
    assert slot.part == slot.role


KINDS = {
    "m.dora_scale": ("DoRA", "dora_scale"),
    "m.lora_magnitude_vector": ("DoRA", "lora_magnitude_vector"),
    "m.lora_magnitude_vector.default.weight": ("DoRA", "lora_magnitude_vector"),
    "m.lora_mid.weight": ("Tucker LoRA", "lora_mid"),
    "m.lora_B.bias": ("LoRA with a bias", "lora_B"),
    "m.lora_B.default.bias": ("LoRA with a bias", "lora_B"),
    "m.lora_embedding_A": ("embedding LoRA", "lora_embedding_A"),
    "m.lora_embedding_B.default": ("embedding LoRA", "lora_embedding_B"),
    "m.hada_w1_a": ("LoHa", "hada_w1_a"),
    "m.hada_w2_b.default": ("LoHa", "hada_w2_b"),
    "m.hada_t2": ("LoHa", "hada_t2"),
    "m.lokr_w1": ("LoKr", "lokr_w1"),
    "m.lokr_w2_b": ("LoKr", "lokr_w2_b"),
    "m.lokr_t2": ("LoKr", "lokr_t2"),
    "m.a1.weight": ("GLoRA", "a1"),
    "m.bm.weight": ("GLoRA", "bm"),
    "m.on_input": ("(IA)³", "on_input"),
    "m.ia3_l.default": ("(IA)³", "ia3_l"),
    "m.oft_blocks": ("OFT", "oft_blocks"),
    "m.oft_R.default.weight": ("OFT", "oft_R"),
    "m.rescale": ("OFT", "rescale"),
    "m.boft_R": ("BOFT", "boft_R"),
    "m.boft_s.default": ("BOFT", "boft_s"),
    "m.w_norm": ("norm", "w_norm"),
    "m.diff": ("full difference", "diff"),
    "m.diff_b": ("full difference", "diff_b"),
    "m.set_weight": ("replaced weight", "set_weight"),
    "m.hra_u.default": ("PEFT's hra", ""),
    "m.lambda_layer": ("T-LoRA, which changes with the step", ""),
    "m.oft_diag": ("diag-OFT of rotations", ""),
}


@pytest.mark.parametrize("key", KINDS)
def test_other_kinds_are_known_by_name(key: str) -> None:
    kind, part = KINDS[key]
    assert split_key(key) == Slot("m", "other", kind, part)


@pytest.mark.parametrize(
    "key",
    [
        "unet.conv_in.weight",
        "conv_in.bias",
        "model.diffusion_model.out.2.weight",
        "lora_down.weight",
        "emb_params",
        "alphas_cumprod",
        "bundle_emb.x.string_to_param.*",
    ],
)
def test_a_checkpoints_keys_are_no_adapters(key: str) -> None:
    assert split_key(key) is None


def test_prefixes_tell_dialect_and_component() -> None:
    assert split_module("lora_unet_conv_in").components == ("unet", "transformer")
    assert split_module("lora_transformer_x").components == ("transformer", "unet")
    assert split_module("lora_te1_text_model_x").path == "text_model_x"
    assert split_module("lora_te2_x").components == ("text_encoder_2",)
    assert split_module("down_blocks.0.x").components == ()
    assert split_module("down_blocks.0.x").dialect == "plain"
    peft = split_module("unet.base_model.model.conv_in")
    assert (peft.prefix, peft.path, peft.dialect) == ("unet.base_model.model.", "conv_in", "peft")
    other = split_module("base_model.model.unet.conv_in")
    assert (other.path, other.components) == ("conv_in", ("unet", "transformer"))


def test_old_names_of_attention_are_tried_last() -> None:
    assert list(spellings("a.attn1.processor.to_out")) == ["a_attn1_to_out", "a_attn1_to_out_0"]
    wanted = "text_model_encoder_layers_0_self_attn_q_proj"
    assert wanted in list(spellings("text_model.encoder.layers.0.self_attn.to_q"))


@pytest.mark.parametrize("family", list(FAMILIES), ids=lambda family: family.name)
def test_no_two_modules_flatten_to_one_name(family: Family) -> None:
    specs = narrow_specs(family)
    for names in (specs, narrow_file(family).specs):
        flat = Counter(flatten(name) for name in names)
        assert [name for name, count in flat.items() if count > 1] == []


@pytest.mark.parametrize("family", list(FAMILIES), ids=lambda family: family.name)
def test_both_layouts_agree_on_what_a_name_means(family: Family) -> None:
    specs = narrow_specs(family)
    single = narrow_file(family)
    alone, both = Targets(family, specs, None), Targets(family, specs, single)
    for key in trained(specs):
        module = split_module(key.removesuffix(".weight"))
        assert alone.find(module) == both.find(module)
        assert [target.key for target in both.find(module)] == [key]
    for key, pieces in single.pieces.items():
        if key.endswith(".weight") and pieces[0].source.startswith("unet."):
            module = split_module(key.removesuffix(".weight"))
            assert [piece.target for piece in both.find(module)[0].pieces] == [pieces[0].source]


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        *((name, dialect) for name in ("sd1", "sdxl") for dialect in DIALECTS),
        *((name, dialect) for name in ("sd2", "sdxl-refiner") for dialect in ("kohya", "comfyui")),
    ],
)
def test_every_dialect_finds_every_module(name: str, dialect: str, tmp_path: Path) -> None:
    family = FAMILIES.get(name)
    specs = narrow_specs(family)
    # PEFT's files are of one network each: both text encoders' names would be the same
    targets = r"^(unet|text_encoder_2)\." if dialect.startswith("peft") and name == "sdxl" else ""
    wanted = trained(specs, targets)
    random_lora(tmp_path / "x.safetensors", family, specs, dialect, rank=1, targets=targets)
    lora = open_lora(open_store(tmp_path / "x.safetensors"))
    source = lora.bind(family, specs, narrow_file(family))
    assert list(source.specs) == wanted
    assert {key: spec.shape for key, spec in source.specs.items()} == {
        key: specs[key].shape for key in wanted
    }
    expected = dialect.split("-", maxsplit=1)[0]
    assert (lora.dialect, source.layout) == (expected, expected)
    lora.close()


@pytest.mark.parametrize(
    ("name", "targets", "likely"),
    [
        ("sd1", r"^unet\..*attn2", ["sd1"]),
        ("sd2", r"^unet\..*attn2", ["sd2"]),
        ("sdxl", r"^unet\..*attn2", ["sdxl"]),
        ("sd1", r"^text_encoder\.", ["sd1", "sdxl"]),
    ],
)
def test_the_likely_family_is_told_from_names_and_widths(
    name: str, targets: str, likely: list[str], tmp_path: Path
) -> None:
    family = FAMILIES.get(name)
    random_lora(tmp_path / "x.safetensors", family, own_specs(family), rank=1, targets=targets)
    lora = open_lora(open_store(tmp_path / "x.safetensors"))
    assert [one.name for one in likely_families(lora.modules)] == likely
