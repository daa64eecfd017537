from __future__ import annotations

import pytest

from sdmerge.errors import FamilyError
from sdmerge.families import (
    FAMILIES,
    config_of,
    model_index,
    recognise,
    scheduler_of,
    tokenizer_config,
)
from sdmerge.tensors.spec import TensorSpec

from .headers import NARROW, canonical, single_file

SDXL = FAMILIES.get("sdxl")


def test_the_familys_own_config_is_the_published_one() -> None:
    config = SDXL.component("unet").config
    assert config["_class_name"] == "UNet2DConditionModel"
    assert config["block_out_channels"] == [320, 640, 1280]
    assert config["attention_head_dim"] == [5, 10, 20]
    assert config["transformer_layers_per_block"] == [1, 2, 10]
    assert config["projection_class_embeddings_input_dim"] == 2816
    assert config["norm_num_groups"] == 32
    assert FAMILIES.get("sd1").component("unet").config["attention_head_dim"] == 8
    text = SDXL.component("text_encoder_2").config
    assert text["architectures"] == ["CLIPTextModelWithProjection"]
    assert (text["num_attention_heads"], text["projection_dim"]) == (20, 1280)
    assert (text["bos_token_id"], text["eos_token_id"]) == (49406, 49407)


def test_a_variants_channels_are_in_its_config() -> None:
    specs = canonical(SDXL, ["unet"], {"in": 9})
    assert config_of(SDXL, "unet", specs)["in_channels"] == 9


def test_a_config_is_told_from_a_recognised_file() -> None:
    answer = recognise(single_file(SDXL, sizes=NARROW))
    assert answer
    config = config_of(SDXL, "text_encoder_2", answer.keymap.specs)
    assert (config["hidden_size"], config["num_hidden_layers"]) == (96, 3)
    assert (config["projection_dim"], config["vocab_size"]) == (40, 200)


def test_missing_tensors_do_not_change_a_config() -> None:
    specs = canonical(SDXL, ["unet"], NARROW)
    for key in ("unet.conv_in.weight", "unet.mid_block.attentions.0.proj_in.weight"):
        del specs[key]
    expected = dict(config_of(SDXL, "unet", canonical(SDXL, ["unet"], NARROW)))
    assert config_of(SDXL, "unet", specs) == expected


def test_tensors_that_no_config_describes_are_an_error() -> None:
    specs = canonical(SDXL, ["unet"])
    specs["unet.mid_block.resnets.0.conv1.weight"] = TensorSpec("F16", (1280, 640, 3, 3))
    with pytest.raises(FamilyError, match=r"conv1\.weight: is \[1280, 640, 3, 3\]"):
        config_of(SDXL, "unet", specs)


def test_stacks_of_unequal_depth_are_told_one_by_one() -> None:
    specs = canonical(SDXL, ["unet"])
    cut = "unet.up_blocks.0.attentions.1.transformer_blocks.9."
    specs = {key: spec for key, spec in specs.items() if not key.startswith(cut)}
    config = config_of(SDXL, "unet", specs)
    assert config["transformer_layers_per_block"] == [1, 2, 10]
    assert config["reverse_transformer_layers_per_block"] == [[10, 9, 10], 2, 1]


def test_the_index_names_what_is_there() -> None:
    index = model_index(SDXL, ["unet", "vae", "text_encoder", "text_encoder_2"])
    assert index["_class_name"] == "StableDiffusionXLPipeline"
    assert index["text_encoder_2"] == ["transformers", "CLIPTextModelWithProjection"]
    assert index["tokenizer_2"] == ["transformers", "CLIPTokenizer"]
    assert index["scheduler"] == ["diffusers", "EulerDiscreteScheduler"]
    assert model_index(SDXL, ["unet"])["vae"] == [None, None]
    assert model_index(SDXL, [], "inpaint")["_class_name"] == "StableDiffusionXLInpaintPipeline"
    refiner = model_index(FAMILIES.get("sdxl-refiner"), ["unet"])
    assert refiner["tokenizer"] == [None, None]


def test_the_scheduler_follows_what_the_file_says() -> None:
    assert scheduler_of(SDXL)["prediction_type"] == "epsilon"
    flagged = scheduler_of(SDXL, ["extra.v_pred", "extra.ztsnr"])
    assert flagged["prediction_type"] == "v_prediction"
    assert flagged["rescale_betas_zero_snr"] is True
    declared = scheduler_of(FAMILIES.get("sd2"), metadata={"modelspec.prediction_type": "v"})
    assert declared["prediction_type"] == "v_prediction"
    assert SDXL.scheduler["prediction_type"] == "epsilon"


def test_tokenizers_pad_as_their_encoders_were_trained() -> None:
    def pad(family: str, component: str) -> object:
        return tokenizer_config(FAMILIES.get(family).component(component), {})["pad_token"]

    assert pad("sd1", "text_encoder") == pad("sdxl", "text_encoder") == "<|endoftext|>"
    assert pad("sd2", "text_encoder") == pad("sdxl", "text_encoder_2") == "!"
    narrow = canonical(SDXL, ["text_encoder"], NARROW)
    config = tokenizer_config(SDXL.component("text_encoder"), narrow)
    assert config["model_max_length"] == NARROW["p"]
