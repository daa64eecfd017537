"""Groups: every tensor lies in one of each kind, and their labels come in order."""

from __future__ import annotations

import pytest

from plan.test_filters import family, language_model
from sdmerge.plan.groups import group_of, groups

BLOCKS = [*(f"IN{n:02}" for n in range(12)), "M00", *(f"OUT{n:02}" for n in range(12))]


def test_blocks_are_those_of_the_family_from_end_to_end() -> None:
    assert groups("block", family("sd1")) == ("BASE", *BLOCKS, "VAE", "extra")
    assert groups("block", language_model()) == ("BASE", *(f"L{n:02}" for n in range(12)))


def test_components_and_types_have_their_order() -> None:
    names = ("unet", "text_encoder", "text_encoder_2", "vae")
    assert sorted(groups("component", family("sdxl"))) == sorted((*names, "extra"))
    assert groups("component", family("sdxl"))[0] == "unet"
    assert groups("type", family("sd1")) == ("attn", "mlp", "conv", "norm", "rest")


@pytest.mark.parametrize(
    ("key", "layer", "kind"),
    [
        ("unet.conv_in.weight", "unet.conv_in", "conv"),
        ("unet.time_embedding.linear_1.bias", "unet.time_embedding", "rest"),
        ("unet.down_blocks.0.resnets.1.conv1.weight", "unet.down_blocks.0.resnets.1", "conv"),
        (
            "unet.down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0.weight",
            "unet.down_blocks.0.attentions.1.transformer_blocks.0",
            "attn",
        ),
        (
            "unet.down_blocks.0.attentions.1.transformer_blocks.0.ff.net.0.proj.weight",
            "unet.down_blocks.0.attentions.1.transformer_blocks.0",
            "mlp",
        ),
        (
            "unet.down_blocks.0.attentions.1.proj_in.weight",
            "unet.down_blocks.0.attentions.1",
            "rest",
        ),
        (
            "unet.down_blocks.0.downsamplers.0.conv.bias",
            "unet.down_blocks.0.downsamplers.0",
            "conv",
        ),
        ("unet.conv_norm_out.weight", "unet.conv_norm_out", "norm"),
        (
            "text_encoder.encoder.layers.11.layer_norm1.bias",
            "text_encoder.encoder.layers.11",
            "norm",
        ),
        ("text_encoder.final_layer_norm.weight", "text_encoder.final_layer_norm", "norm"),
    ],
)
def test_a_tensor_has_a_layer_and_a_type(key: str, layer: str, kind: str) -> None:
    model = family("sd1")
    assert key in model.keys
    assert group_of("layer", model)(key) == layer
    assert group_of("type", model)(key) == kind


def test_layers_are_counted_as_people_count() -> None:
    layers = [one for one in groups("layer", family("sd1")) if ".encoder.layers." in one]
    assert layers == [f"text_encoder.encoder.layers.{n}" for n in range(12)]
    assert groups("layer", language_model())[-1] == "model.layers.11"


def test_without_per_there_is_one_group() -> None:
    assert groups("", family("sd1")) == ("",)
