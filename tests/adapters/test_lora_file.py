"""A LoRA file by itself: what it lists, what it refuses, and where its scale comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdmerge.adapters.lora.file import LoraFile, open_lora
from sdmerge.errors import CorruptFile, FamilyError, FileError
from sdmerge.families import FAMILIES
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store

from .lora_files import narrow_file, narrow_specs, random_lora, write

SD1 = FAMILIES.get("sd1")
SPECS = narrow_specs(SD1)
SINGLE = narrow_file(SD1)
PROJ = "unet.mid_block.attentions.0.proj_in"  # a 1×1 convolution of 96 channels


def opened(
    folder: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> LoraFile:
    """The LoRA of these tensors, in a file."""
    return open_lora(open_store(write(folder / "x.safetensors", tensors, metadata)))


def pair(name: str, rank: int = 2, out: int = 96, into: int = 96) -> dict[str, Tensor]:
    """A module of two ones-filled factors."""
    return {
        f"{name}.lora_down.weight": torch.ones(rank, into),
        f"{name}.lora_up.weight": torch.ones(out, rank),
    }


def test_a_file_lists_what_it_holds(tmp_path: Path) -> None:
    random_lora(tmp_path / "x.safetensors", SD1, SPECS, "kohya", rank=3, alpha=1.5)
    lora = open_lora(open_store(tmp_path / "x.safetensors"))
    assert (lora.kinds, lora.ranks) == ({"LoRA": 294}, {3: 294})
    assert lora.dialect == "kohya"
    assert lora.components == {"unet": 282, "text_encoder": 12}
    assert {module.alpha for module in lora.modules} == {1.5}
    assert {module.scale for module in lora.modules} == {0.5}
    assert lora.metadata == {"format": "pt"}
    assert lora.path == tmp_path / "x.safetensors"
    assert lora.files == (lora.path,)


def test_a_header_is_known_as_an_adapters() -> None:
    def specs(*names: str) -> dict[str, TensorSpec]:
        return {name: TensorSpec("F32", (2, 2)) for name in names}

    assert LoraFile.is_lora(specs("lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight"))
    assert LoraFile.is_lora(specs("lora_unet_x.hada_w1_a", "lora_unet_x.alpha", "emb"))
    assert LoraFile.is_lora(specs("x.weight", "x.on_input"))
    assert not LoraFile.is_lora(SPECS)
    assert not LoraFile.is_lora(SINGLE.specs)
    assert not LoraFile.is_lora(specs("snake.0.alpha", "snake.1.alpha"))
    assert not LoraFile.is_lora({})
    # a checkpoint with an adapter inside is a checkpoint
    assert not LoraFile.is_lora({**SPECS, **specs("unet.x.lora_A.weight", "unet.x.lora_B.weight")})


def test_kinds_are_counted(tmp_path: Path) -> None:
    alone = {"unet.a.hada_w1_a": 1, "unet.a.hada_w1_b": 1, "unet.a.hada_w2_a": 1,
             "unet.a.hada_w2_b": 1}  # fmt: skip
    tensors = pair(PROJ) | {name: torch.ones(2, 2) for name in alone}
    tensors |= pair("unet.b") | {"unet.b.dora_scale": torch.ones(96, 1)}
    tensors |= pair("unet.c", rank=3) | {"unet.c.dora_scale": torch.ones(1, 96)}
    tensors |= {name.replace(".a.", ".d."): torch.ones(2, 2) for name in alone}
    tensors |= {"unet.d.dora_scale": torch.ones(2), "unet.e.diff_b": torch.ones(2)}
    lora = opened(tmp_path, tensors)
    assert lora.kinds == {"LoRA": 1, "LoHa": 1, "DoRA": 2, "LoHa + DoRA": 1, "full difference": 1}
    assert lora.ranks == {2: 4, 3: 1}
    assert lora.magnitudes == {"output": 2, "input": 1}


def test_keys_of_no_adapter_are_refused(tmp_path: Path) -> None:
    lora = opened(tmp_path, pair(PROJ) | {"norm.scale": torch.ones(2)})
    with pytest.raises(FileError, match=r"no part of a LoRA: norm\.scale"):
        lora.bind(SD1, SPECS, SINGLE)
    with pytest.raises(FileError, match="is not a LoRA"):
        opened(tmp_path / "..", {}).bind(SD1, SPECS, SINGLE)


BROKEN = {
    "no down factor": {f"{PROJ}.lora_up.weight": torch.ones(96, 2)},
    "no up factor": {f"{PROJ}.lora_down.weight": torch.ones(2, 96)},
    "and no up factor": {f"{PROJ}.alpha": torch.tensor(1.0)},
    "the ranks of module": {
        f"{PROJ}.lora_up.weight": torch.ones(96, 3),
        f"{PROJ}.lora_down.weight": torch.ones(2, 96),
    },
    "ranks of module": {
        f"{PROJ}.lora_up.weight": torch.ones(96, 2, 3, 3),
        f"{PROJ}.lora_down.weight": torch.ones(2, 96, 1, 1),
    },
    "up factor of module .* is no matrix": {
        f"{PROJ}.lora_up.weight": torch.ones(96),
        f"{PROJ}.lora_down.weight": torch.ones(2, 96),
    },
    "is empty": {
        f"{PROJ}.lora_up.weight": torch.ones(96, 0),
        f"{PROJ}.lora_down.weight": torch.ones(0, 96),
    },
    "no real numbers": {
        f"{PROJ}.lora_up.weight": torch.ones(96, 2, dtype=torch.int8),
        f"{PROJ}.lora_down.weight": torch.ones(2, 96, dtype=torch.int8),
    },
    "is not one number": pair(PROJ) | {f"{PROJ}.alpha": torch.ones(2)},
    "are both the down of one module": pair(PROJ) | {f"{PROJ}.lora_A.weight": torch.ones(2, 96)},
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_modules_are_corrupt_files(message: str, tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match=message) as caught:
        opened(tmp_path, BROKEN[message])
    assert PROJ in caught.value.what


def test_modules_a_base_lacks_are_listed(tmp_path: Path) -> None:
    tensors = pair(PROJ)
    for number in range(7):
        tensors |= pair(f"unet.down_blocks.{number}.nothing")
    with pytest.raises(FamilyError) as caught:
        opened(tmp_path, tensors).bind(SD1, SPECS, SINGLE)
    assert "7 of 8 modules are not in Stable Diffusion 1, 1 are" in caught.value.what
    assert "unet.down_blocks.4.nothing and 2 more" in caught.value.what


def test_a_lora_of_another_family_says_which(tmp_path: Path) -> None:
    sdxl = FAMILIES.get("sdxl")
    specs = narrow_specs(sdxl)
    wide = "unet.down_blocks.2.attentions.1.transformer_blocks.9.attn2.to_k"
    also = "unet.down_blocks.1.attentions.1.transformer_blocks.1.attn2.to_k"
    tensors = pair(wide, out=1280, into=2048) | pair(also, out=640, into=2048)
    with pytest.raises(FamilyError, match="not in Stable Diffusion 1") as caught:
        opened(tmp_path, tensors).bind(SD1, SPECS, SINGLE)
    assert caught.value.hint == f"It seems to be made for {sdxl.title}."
    random_lora(tmp_path / "y.safetensors", sdxl, specs, "kohya-sgm", rank=1)
    with pytest.raises(FamilyError, match="of 819 modules are not in"):
        open_lora(open_store(tmp_path / "y.safetensors")).bind(SD1, SPECS, SINGLE)


def test_a_module_of_another_width_is_shown_with_both_shapes(tmp_path: Path) -> None:
    key = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    with pytest.raises(FamilyError) as caught:
        opened(tmp_path, pair(key, out=1280, into=1024)).bind(SD1, SPECS, SINGLE)
    assert f"'{key}' [1280, 1024], {key}.weight [96, 48]" in caught.value.what
    assert caught.value.hint == "It seems to be made for Stable Diffusion 2."


def test_a_name_that_may_mean_two_weights_is_refused(tmp_path: Path) -> None:
    sdxl = FAMILIES.get("sdxl")
    specs = narrow_specs(sdxl)
    module = "encoder.layers.0.self_attn.q_proj"
    twin = f"text_encoder_2.{module}.weight"
    alike = {**specs, twin: specs[f"text_encoder.{module}.weight"]}
    tensors = pair(f"base_model.model.text_model.{module}", out=48, into=48)
    with pytest.raises(FamilyError, match=rf"may mean text_encoder\.{module}\.weight or {twin}"):
        opened(tmp_path, tensors).bind(sdxl, alike)
    assert list(opened(tmp_path, tensors).bind(sdxl, specs).specs) == [twin.replace("_2", "")]


def test_one_weight_changed_under_two_names_is_refused(tmp_path: Path) -> None:
    tensors = pair(PROJ) | pair("lora_unet_mid_block_attentions_0_proj_in")
    with pytest.raises(CorruptFile, match=rf"both change {PROJ}\.weight"):
        opened(tmp_path, tensors).bind(SD1, SPECS, SINGLE)


def scale(folder: Path, tensors: dict[str, Tensor], settings: object = None) -> float:
    """The first module's scale, with these settings in the header."""
    metadata = {} if settings is None else {"lora_adapter_metadata": json.dumps(settings)}
    return opened(folder, tensors, metadata).modules[0].scale


def test_scale_is_alpha_over_rank(tmp_path: Path) -> None:
    def with_alpha(alpha: Tensor) -> dict[str, Tensor]:
        return pair(PROJ, rank=4) | {f"{PROJ}.alpha": alpha}

    assert scale(tmp_path, pair(PROJ, rank=4)) == 1.0
    assert scale(tmp_path, with_alpha(torch.tensor(2.0))) == 0.5
    assert scale(tmp_path, with_alpha(torch.tensor([6], dtype=torch.int64))) == 1.5
    assert scale(tmp_path, with_alpha(torch.tensor(3.0, dtype=torch.bfloat16))) == 0.75
    assert scale(tmp_path, with_alpha(torch.tensor(0.0))) == 1.0


def test_scale_comes_from_the_headers_settings(tmp_path: Path) -> None:
    tensors = pair(PROJ, rank=4)
    assert scale(tmp_path, tensors, {"unet.r": 4, "unet.lora_alpha": 8}) == 2.0
    assert scale(tmp_path, tensors, {"r": 4, "lora_alpha": 2}) == 0.5
    rslora = {"unet.r": 4, "unet.lora_alpha": 8, "unet.use_rslora": True}
    assert scale(tmp_path, tensors, rslora) == 4.0
    assert scale(tmp_path, tensors, {"text_encoder.r": 8, "text_encoder.lora_alpha": 8}) == 1.0
    patterns = {
        "unet.r": 16,
        "unet.lora_alpha": 16,
        "unet.rank_pattern": {"to_q": 8, "attentions.0.proj_in": 4},
        "unet.alpha_pattern": {r"mid_block\..*proj_in": 12},
    }
    assert scale(tmp_path, tensors, patterns) == 3.0
    # a module's own alpha is more than what is said of all
    own = tensors | {f"{PROJ}.alpha": torch.tensor(1.0)}
    assert scale(tmp_path, own, {"unet.r": 4, "unet.lora_alpha": 8}) == 0.25


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unet.r": 8, "unet.lora_alpha": 8}, "has rank 4, its configuration says 8"),
        ({"unet.r": "four"}, "'r' is 'four', not a number"),
        ({"unet.r": 4, "unet.alpha_pattern": {"(": 1}}, "not a regular expression"),
        ({"unet.r": 4, "unet.init_lora_weights": "pissa_niter_16"}, "a base of their own"),
        ([], "not a JSON object"),
    ],
)
def test_settings_that_do_not_fit_are_errors(
    settings: object, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match=message):
        scale(tmp_path, pair(PROJ, rank=4), settings)


def test_scale_comes_from_the_config_beside_a_peft_file(tmp_path: Path) -> None:
    name = f"base_model.model.{PROJ.removeprefix('unet.')}"
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 6}))
    lora = opened(tmp_path, pair(name, rank=4))
    assert lora.modules[0].scale == 1.5
    assert lora.files == (tmp_path / "x.safetensors", tmp_path / "adapter_config.json")
    assert scale(tmp_path, pair(PROJ, rank=4)) == 1.0
