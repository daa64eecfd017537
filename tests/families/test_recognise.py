from __future__ import annotations

import itertools

import pytest

from sdmerge.errors import CorruptFile, FamilyError
from sdmerge.families import FAMILIES, Families, Family, recognise, recognise_folder
from sdmerge.tensors.spec import TensorSpec

from .headers import NARROW, Specs, canonical, folder, shuffled, single_file

F16 = "F16"
EVERY = list(FAMILIES)
SIZES = pytest.mark.parametrize("sizes", [None, NARROW], ids=["full", "narrow"])
EACH = pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)


def named(family: str) -> Family:
    return FAMILIES.get(family)


@EACH
@SIZES
@pytest.mark.parametrize("drop", [0.0, 0.05])
def test_a_whole_file_is_its_family(
    family: Family, sizes: dict[str, int] | None, drop: float
) -> None:
    whole = single_file(family, sizes=sizes)
    answer = recognise(shuffled(whole, drop))
    assert answer
    assert (answer.family, answer.layout, answer.variant) == (family, "single-file", "")
    assert list(answer.components) == list(family.by_name)
    assert bool(answer.missing) == bool(drop)


@EACH
@SIZES
def test_a_folder_is_its_family(family: Family, sizes: dict[str, int] | None) -> None:
    answer = recognise_folder(folder(family, sizes))
    assert answer
    assert (answer.family, answer.layout, answer.missing) == (family, "diffusers", ())
    assert answer.keymap.specs == canonical(family, None, sizes)
    assert answer.keymap.pieces["unet.conv_in.weight"][0].source == "unet.conv_in.weight"


@EACH
@SIZES
def test_a_unet_alone_is_its_family_with_and_without_prefix(
    family: Family, sizes: dict[str, int] | None
) -> None:
    ldm = single_file(family, ["unet"], sizes)
    own = canonical(family, ["unet"], sizes)
    bare = {key.removeprefix("model.diffusion_model."): spec for key, spec in ldm.items()}
    plain = {key.removeprefix("unet."): spec for key, spec in own.items()}
    layouts = ["single-file", "single-file", "diffusers", "diffusers"]
    for header, layout in zip((ldm, bare, plain, own), layouts, strict=True):
        answer = recognise(shuffled(header))
        assert answer
        assert (answer.family, answer.layout) == (family, layout)
        assert list(answer.components) == ["unet"]
        assert dict(answer.keymap.specs) == own


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_vae_is_every_familys_and_the_callers_first(family: str) -> None:
    specs = single_file(named(family), ["vae"])
    for header in (specs, {key.removeprefix("first_stage_model."): s for key, s in specs.items()}):
        answer = recognise(header)
        assert answer
        assert answer.family.name == "sd1"
        assert answer.runners_up == (("sd2", 1.0), ("sdxl", 1.0), ("sdxl-refiner", 1.0))
        preferred = recognise(header, prefer=named("sdxl"))
        assert preferred
        assert preferred.family.name == "sdxl"
        assert preferred.runners_up[0] == ("sd1", 1.0)
    declared = recognise(specs, {"modelspec.architecture": "stable-diffusion-xl-v1-base/vae"})
    assert declared
    assert declared.family.name == "sdxl"


def test_a_vae_of_another_family_is_not_ours() -> None:
    sixteen = named("sd1").specs("vae", {"z": 16})
    without_quant = {
        key.removeprefix("vae."): spec for key, spec in sixteen.items() if "quant_conv" not in key
    }
    assert recognise(without_quant) is None


@pytest.mark.parametrize(
    ("family", "component", "first", "others"),
    [
        ("sd1", "text_encoder", "sd1", {"sdxl", "sd2"}),
        ("sd2", "text_encoder", "sd2", {"sd1", "sdxl"}),
        ("sdxl", "text_encoder_2", "sdxl", {"sdxl-refiner"}),
    ],
)
def test_a_text_encoder_in_transformers_names(
    family: str, component: str, first: str, others: set[str]
) -> None:
    saved = folder(named(family))[component]
    for header in (saved, {key.removeprefix("text_model."): spec for key, spec in saved.items()}):
        answer = recognise(header)
        assert answer
        assert (answer.family.name, list(answer.components)) == (first, [component])
        assert others <= {name for name, _ in answer.runners_up}
        assert answer.missing == ()


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "sdxl-refiner"])
def test_text_encoders_in_single_files_go_by_their_prefix(name: str) -> None:
    family = named(name)
    for component in list(family.by_name)[2:]:
        answer = recognise(single_file(family, [component], NARROW))
        assert answer
        assert (answer.family, list(answer.components)) == (family, [component])


@pytest.mark.parametrize(
    ("name", "channels", "variant"),
    [
        ("sd1", 9, "inpaint"),
        ("sd1", 8, "pix2pix"),
        ("sd2", 9, "inpaint"),
        ("sd2", 5, "depth"),
        ("sdxl", 9, "inpaint"),
        ("sdxl", 8, "pix2pix"),
        ("sdxl", 13, "13-channel"),
    ],
)
def test_input_channels_are_a_variant(name: str, channels: int, variant: str) -> None:
    for header in (
        single_file(named(name), ["unet"], {"in": channels}),
        canonical(named(name), ["unet"], {"in": channels, **NARROW}),
    ):
        answer = recognise(header)
        assert answer
        assert (answer.family.name, answer.variant) == (name, variant)


def test_clip_l_without_its_inner_prefix_is_read() -> None:
    specs = single_file(named("sd1"))
    merged = {key.replace(".text_model.", "."): spec for key, spec in specs.items()}
    answer = recognise(merged)
    assert answer
    assert (answer.missing, answer.extra) == ((), ())
    assert dict(answer.keymap.specs) == canonical(named("sd1"))


def test_old_names_of_the_vae_are_read() -> None:
    new = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    header = folder(named("sd1"))
    for ours, old in new.items():
        header["vae"] = {
            key.replace(f".{ours}.", f".{old}."): spec for key, spec in header["vae"].items()
        }
    answer = recognise_folder(header)
    assert answer
    assert dict(answer.keymap.specs) == canonical(named("sd1"))


def test_a_folder_with_a_safety_checker_is_the_same() -> None:
    header = folder(named("sd1"))
    header["safety_checker"] = {"concept_embeds": TensorSpec(F16, (17, 768))}
    answer = recognise_folder(header)
    assert answer
    assert answer.extra == ()


def test_missing_keys_are_exact_at_the_files_own_depth() -> None:
    specs = single_file(named("sdxl"), sizes=NARROW)
    gone = {
        "model.diffusion_model.input_blocks.4.1.transformer_blocks.1.attn1.to_q.weight",
        "conditioner.embedders.1.model.transformer.resblocks.1.attn.in_proj_weight",
        "first_stage_model.decoder.conv_out.bias",
    }
    answer = recognise({key: spec for key, spec in specs.items() if key not in gone})
    assert answer
    layer = "text_encoder_2.encoder.layers.1.self_attn"
    assert set(answer.missing) == {
        "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q.weight",
        *(f"{layer}.{name}_proj.weight" for name in "qkv"),
        "vae.decoder.conv_out.bias",
    }
    assert "missing 5: unet.down_blocks.1" in answer.explain()


def test_left_overs_travel_and_training_state_does_not() -> None:
    specs = single_file(named("sdxl"))
    flags = {"v_pred": TensorSpec("F32", (0,)), "ztsnr": TensorSpec("F32", (0,))}
    clip = "conditioner.embedders.0.transformer.text_model.embeddings.position_ids"
    dropped = {
        clip: TensorSpec("I64", (1, 77)),
        "model_ema.diffusion_modelinput_blocks00weight": TensorSpec("F32", (320, 4, 3, 3)),
    }
    answer = recognise({**specs, **flags, **dropped})
    assert answer
    assert answer.extra == ("extra.v_pred", "extra.ztsnr")
    assert answer.dropped == tuple(dropped)
    assert answer.keymap.pieces["extra.v_pred"][0].source == "v_pred"


def test_sd2s_last_layer_travels() -> None:
    family = named("sd2")
    specs = single_file(family)
    block = "cond_stage_model.model.transformer.resblocks."
    last = {
        key.replace(f"{block}22.", f"{block}23."): spec
        for key, spec in specs.items()
        if key.startswith(f"{block}22.")
    }
    answer = recognise({**specs, **last})
    assert answer
    assert (len(answer.extra), answer.missing) == (12, ())
    assert "text_encoder.encoder.layers.22.mlp.fc1.bias" in answer.keymap.specs
    assert "text_encoder.encoder.layers.23.mlp.fc1.bias" not in answer.keymap.specs
    assert answer.share == 1.0


def llm() -> Specs:
    names = ("self_attn.q_proj", "self_attn.k_proj", "mlp.up_proj", "input_layernorm")
    layers = itertools.product(range(32), names)
    return {f"model.layers.{i}.{name}.weight": TensorSpec(F16, (64, 64)) for i, name in layers}


def test_what_is_not_ours_is_none() -> None:
    unet = canonical(named("sdxl"), ["unet"])
    control = {
        key.removeprefix("unet."): spec
        for key, spec in unet.items()
        if not key.startswith(("unet.up_blocks", "unet.conv_out", "unet.conv_norm_out"))
    }
    lora = {
        key.replace(".weight", f".lora_{side}.weight"): TensorSpec(F16, (4, 4))
        for key in unet
        for side in "AB"
    }
    clip_with_eyes = folder(named("sd1"))["text_encoder"]
    clip_with_eyes |= {
        key.replace("text_model.", "vision_model."): spec for key, spec in clip_with_eyes.items()
    } | {"visual_projection.weight": TensorSpec(F16, (768, 1024))}
    for header in (llm(), control, lora, clip_with_eyes, {}):
        assert recognise(header) is None


def test_a_fused_tensor_that_cannot_be_split_is_damage() -> None:
    specs = single_file(named("sdxl"), ["text_encoder_2"])
    name = "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight"
    with pytest.raises(CorruptFile, match="in_proj"):
        recognise({**specs, name: TensorSpec(F16, (3841, 1280))})


def test_a_tensor_in_two_spellings_is_damage() -> None:
    specs = single_file(named("sd1"), ["text_encoder"], NARROW)
    key = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    with pytest.raises(CorruptFile, match="is the same tensor as"):
        recognise({**specs, key.replace("text_model.", ""): specs[key]})


@pytest.mark.parametrize("layer", ["99999999", "9999", "1" * 5000, "٣"])
def test_layers_far_out_are_not_counted(layer: str) -> None:
    name = f"cond_stage_model.transformer.text_model.encoder.layers.{layer}.mlp.fc1.bias"
    far = {name: TensorSpec(F16, (8,))}
    assert recognise(far) is None
    answer = recognise({**single_file(named("sd1"), ["unet"], NARROW), **far})
    assert answer
    assert answer.extra == (f"extra.{name}",)


def test_the_answer_in_words() -> None:
    answer = recognise(shuffled(single_file(named("sd1"), ["unet"], {"in": 9})))
    assert answer
    first, *rest = answer.explain().splitlines()
    assert first == "Stable Diffusion 1 inpaint, single-file: 100 % of the keys, unet 100 %"
    assert rest[0].startswith("runners-up: sd2 100 %, sdxl-refiner")


def test_the_registry_is_a_value() -> None:
    copy = FAMILIES.copy()
    with pytest.raises(FamilyError, match="two families are called 'sd1'"):
        copy.add(named("sd1"))
    assert len(copy) == len(FAMILIES)
    with pytest.raises(FamilyError, match="sdxl"):
        FAMILIES.get("sdxll")
    only = Families([named("sdxl")])
    assert recognise(single_file(named("sd1")), families=only) is None
