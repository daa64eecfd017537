"""Filters: which of a model's tensors a word takes."""

from __future__ import annotations

import functools

import pytest

from sdmerge.errors import PlanError
from sdmerge.families import FAMILIES
from sdmerge.plan.anatomy import Anatomy, anatomy
from sdmerge.plan.filters import CLASSES, compile_filter


@functools.cache
def family(name: str) -> Anatomy:
    """A family at full size, as far as its keys go."""
    found = FAMILIES.get(name)
    names = [component.name for component in found.components]
    keys = [key for component in names for key in found.specs(component)]
    return anatomy([*keys, "extra.logit_scale"], names, found.blocks, found.block)


def language_model() -> Anatomy:
    """A file of unknown family, with counted layers."""
    keys = ["model.embed_tokens.weight", "lm_head.weight"]
    for layer in range(12):
        head = f"model.layers.{layer}"
        keys += [f"{head}.self_attn.q_proj.weight", f"{head}.mlp.up_proj.weight",
                 f"{head}.input_layernorm.weight"]  # fmt: skip

    def block(key: str) -> str:
        return f"L{int(key.split('.')[2]):02d}" if ".layers." in key else "BASE"

    return anatomy(keys, (), [f"L{n:02d}" for n in range(12)], block, labelled=False)


def taken(word: str, model: Anatomy | None = None) -> set[str]:
    model = model or family("sd1")
    test = compile_filter(word, model, "r.yaml:3").test
    return {key for key in model.keys if test(key)}


def starting(*heads: str) -> set[str]:
    return {key for key in family("sd1").keys if key.startswith(heads)}


def test_components_come_first() -> None:
    """`unet` is also a part of names, and `vae` a block."""
    assert taken("unet") == starting("unet.")
    assert taken("vae") == starting("vae.")
    assert taken("text_encoder", family("sdxl")) == {
        key for key in family("sdxl").keys if key.split(".")[0] == "text_encoder"
    }
    assert compile_filter("unet", family("sd1"), "").component == "unet"


def test_a_component_is_taken_exactly() -> None:
    """Where there is none of that name, the word is a part of names: of text_encoder_2's, here."""
    refiner = anatomy(["text_encoder_2.x"], ["text_encoder_2"], (), lambda key: "BASE")
    found = compile_filter("text_encoder", refiner, "")
    assert found.component is None
    assert found.test("text_encoder_2.x")


@pytest.mark.parametrize(
    ("word", "heads"),
    [
        ("IN04", ["unet.down_blocks.1.resnets.0.", "unet.down_blocks.1.attentions.0."]),
        ("in03", ["unet.down_blocks.0.downsamplers."]),
        ("m00", ["unet.mid_block."]),
        ("MID", ["unet.mid_block."]),
        ("Out11", ["unet.up_blocks.3.resnets.2.", "unet.up_blocks.3.attentions.2.",
                   "unet.conv_norm_out.", "unet.conv_out."]),
        ("BASE", ["text_encoder."]),
        ("VAE", ["vae."]),
    ],
)  # fmt: skip
def test_blocks(word: str, heads: list[str]) -> None:
    assert taken(word) == starting(*heads)


def test_ranges() -> None:
    blocks = family("sd1").blocks
    assert taken("in00-out11") == starting("unet.")
    assert taken("IN04-mid") == taken("in04-m00")
    assert taken("in10-out01") == set().union(
        *(taken(b) for b in ("in10", "in11", "m00", "out00", "out01"))
    )
    assert taken("in05-in05") == taken("in05")
    assert compile_filter("in10-out01", family("sd1"), "").span == (10, 14)
    assert [blocks[10], blocks[14]] == ["IN10", "OUT01"]


def test_a_range_that_runs_backwards() -> None:
    with pytest.raises(
        PlanError, match=r"^r.yaml:3: the range out03-in04 runs backwards"
    ) as raised:
        taken("out03-in04")
    assert "The order is IN00 … OUT11: write IN04-OUT03." in raised.value.hint


def test_a_range_with_a_wrong_end_is_no_range() -> None:
    assert taken("in04-out99") == set()
    assert taken("in04-") == set()


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_classes_on_whole_families(name: str) -> None:
    model = family(name)
    specs = {key: spec for component in FAMILIES.get(name).components
             for key, spec in FAMILIES.get(name).specs(component.name).items()}  # fmt: skip
    kernels = {key for key, spec in specs.items() if len(spec.shape) == 4 and spec.shape[2] > 1}
    conv = taken("conv", model)
    assert {key for key in kernels if "embeddings." not in key} <= conv
    assert not {key for key in conv if "norm" in key or len(specs[key].shape) not in (1, 4)}
    assert taken("bias", model) == {key for key in specs if key.endswith("bias")}
    assert taken("norm", model) == {key for key in specs if "norm" in key.rsplit(".", 2)[-2]}
    assert taken("self_attn", model) | taken("cross_attn", model) == taken("attn", model)
    assert not taken("self_attn", model) & taken("cross_attn", model)
    assert not taken("attn", model) & (taken("mlp", model) | conv)


@pytest.mark.parametrize(
    ("word", "inside", "outside"),
    [
        ("attn", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0.bias",
         "unet.down_blocks.0.attentions.0.proj_in.weight"),
        ("attn", "vae.decoder.mid_block.attentions.0.to_q.weight",
         "vae.decoder.mid_block.attentions.0.group_norm.weight"),
        ("self_attn", "text_encoder.encoder.layers.3.self_attn.q_proj.weight",
         "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"),
        ("cross_attn", "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
         "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_k.weight"),
        ("mlp", "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.2.weight",
         "unet.mid_block.resnets.0.time_emb_proj.weight"),
        ("mlp", "text_encoder.encoder.layers.3.mlp.fc1.bias",
         "text_encoder.encoder.layers.3.layer_norm1.bias"),
        ("conv", "unet.up_blocks.1.resnets.0.conv_shortcut.weight", "unet.conv_norm_out.weight"),
        ("conv", "vae.quant_conv.bias", "unet.time_embedding.linear_1.weight"),
        ("norm", "unet.conv_norm_out.weight", "unet.conv_out.weight"),
        ("norm", "text_encoder.final_layer_norm.bias",
         "text_encoder.embeddings.token_embedding.weight"),
    ],
)  # fmt: skip
def test_classes(word: str, inside: str, outside: str) -> None:
    assert {inside, outside} <= set(family("sd1").keys)
    assert inside in taken(word)
    assert outside not in taken(word)


def test_a_class_goes_before_a_part_of_a_name() -> None:
    """As a part of names, `conv` would take conv_norm_out and `norm` nothing else than now."""
    assert "unet.conv_norm_out.weight" not in taken("conv")
    assert "unet.conv_norm_out.weight" in taken("conv_norm")


def test_globs_are_of_the_whole_key() -> None:
    assert taken("*.attn2.to_k.weight") == {
        key for key in family("sd1").keys if key.endswith(".attn2.to_k.weight")
    }
    assert taken("unet.conv_in.*") == starting("unet.conv_in.")
    assert taken("unet.up_blocks.[12].*") == starting("unet.up_blocks.1.", "unet.up_blocks.2.")
    assert taken("conv_in*") == set()
    assert taken("UNET.*") == set()


def test_parts_of_names() -> None:
    assert taken("to_k") == {key for key in family("sd1").keys if "to_k" in key}
    assert taken("logit_scale") == {"extra.logit_scale"}


def test_regular_expressions() -> None:
    assert taken(r"re:^unet\.(conv_in|conv_out)\.") == starting("unet.conv_in.", "unet.conv_out.")
    assert taken("re:attn2$") == set()
    with pytest.raises(PlanError, match=r"^r.yaml:3: 're:\(' is not a regular expression"):
        taken("re:(")


def test_models_of_unknown_families() -> None:
    model = language_model()
    assert taken("L03-L05", model) == taken("L03", model) | taken("L04", model) | taken(
        "L05", model
    )
    assert len(taken("self_attn", model)) == len(taken("mlp", model)) == 12
    assert taken("norm", model) == {key for key in model.keys if "layernorm" in key}
    assert taken("BASE", model) == {"model.embed_tokens.weight", "lm_head.weight"}


def test_class_names_are_the_languages() -> None:
    assert list(CLASSES) == ["attn", "self_attn", "cross_attn", "mlp", "conv", "norm", "bias"]
