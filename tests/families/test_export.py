from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from sdmerge.errors import FamilyError
from sdmerge.families import FAMILIES, component_map, single_file_map
from sdmerge.tensors.spec import TensorSpec

from .headers import NARROW, canonical, folder, single_file

# names and shapes of the published files, but for position_ids, logit_scale and flags
PUBLISHED = {
    ("sd1", "unet"): (686, "8c2cafd295071b39"),
    ("sd1", "vae"): (248, "e9d56f72afb2bd81"),
    ("sd1", "text_encoder"): (196, "e5df659b9deaa717"),
    ("sdxl", "unet"): (1680, "3884182d449c8837"),
    ("sdxl", "text_encoder"): (196, "7a1d2af8235327ad"),
    ("sdxl", "text_encoder_2"): (389, "1540b3c388720b76"),
}


@pytest.mark.parametrize(("name", "component"), PUBLISHED)
def test_single_files_are_named_as_the_published_ones(name: str, component: str) -> None:
    header = single_file(FAMILIES.get(name), [component])
    lines = [f"{key} {list(header[key].shape)}" for key in sorted(header)]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert (len(header), digest) == PUBLISHED[name, component]


def test_text_encoders_get_their_wrapper_back() -> None:
    for name in ("text_encoder", "text_encoder_2"):
        saved = folder(FAMILIES.get("sdxl"))[name]
        assert all(key.startswith(("text_model.", "text_projection.")) for key in saved)
        assert "text_model.final_layer_norm.bias" in saved


def test_blocks_are_written_in_the_order_of_their_numbers() -> None:
    names = list(single_file(FAMILIES.get("sd1")))
    tenth = next(n for n, name in enumerate(names) if ".input_blocks.10." in name)
    ninth = next(n for n, name in enumerate(names) if ".input_blocks.9." in name)
    assert ninth < tenth
    assert names[0].startswith("model.diffusion_model.")


def test_left_overs_get_their_own_names_back() -> None:
    family = FAMILIES.get("sdxl")
    specs = canonical(family, ["vae"], NARROW)
    specs |= {"extra.v_pred": TensorSpec("F32", (0,)), "extra.vae.odd": TensorSpec("F32", (2,))}
    file = single_file_map(family, specs)
    assert file.pieces["v_pred"][0].source == "extra.v_pred"
    vae = component_map(family, "vae", specs)
    assert vae.pieces["odd"][0].source == "extra.vae.odd"
    assert "v_pred" not in vae.specs


def test_the_widest_part_decides_the_dtype_of_a_fused_tensor() -> None:
    family = FAMILIES.get("sdxl")
    specs = canonical(family, ["text_encoder_2"], NARROW)
    key = "text_encoder_2.encoder.layers.0.self_attn.k_proj.weight"
    specs[key] = replace(specs[key], dtype="F32")
    file = single_file_map(family, specs)
    fused = "conditioner.embedders.1.model.transformer.resblocks.{}.attn.in_proj_weight"
    assert file.specs[fused.format(0)] == TensorSpec("F32", (288, 96))
    assert file.specs[fused.format(1)] == TensorSpec("F16", (288, 96))


def test_half_a_fused_tensor_is_an_error() -> None:
    family = FAMILIES.get("sdxl")
    specs = canonical(family, ["text_encoder_2"], NARROW)
    del specs["text_encoder_2.encoder.layers.0.self_attn.k_proj.weight"]
    with pytest.raises(FamilyError, match=r"resblocks\.0\.attn\.in_proj_weight"):
        single_file_map(family, specs)
