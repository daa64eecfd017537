"""open_model: whatever lies at a path becomes canonical tensors, or a sentence says why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny import SAMPLES, canonical, copy, edited, load, model, same, save, words

from sdmerge.adapters import LoraFile, MappedSource, open_model
from sdmerge.errors import FileError


def opened(path: Path, **options: bool) -> MappedSource:
    found = open_model(path, **options)
    assert isinstance(found, MappedSource)
    return found


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "sdxl-refiner"])
def test_layouts_of_every_family_are_the_same_model(family: str) -> None:
    file, folder = opened(model(family, 1)), opened(model(family, 1, "diffusers"))
    assert file.family is folder.family
    assert file.family.name == family
    assert (file.layout, folder.layout) == ("single-file", "diffusers")
    assert not file.missing + folder.missing
    assert file.specs == folder.specs
    assert same(canonical(model(family, 1)), canonical(model(family, 1, "diffusers")))


def test_a_subfolder_is_a_model() -> None:
    whole = model("sd1", 1, "diffusers")
    part = opened(whole / "vae")
    assert {key.split(".")[0] for key in part.specs} == {"vae"}
    assert part.files == (whole / "vae" / "diffusion_pytorch_model.safetensors",)


def test_files_of_a_folder_and_of_a_key() -> None:
    whole = model("sd1", 1, "diffusers")
    source = opened(whole)
    assert {file.relative_to(whole).as_posix() for file in source.files} == {
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    }
    (file,) = source.files_of("vae.quant_conv.bias")
    assert file.parent.name == "vae"
    assert source.path == whole


def test_pickles_of_old_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": load(words(1)), "global_step": 7}, path)
    with pytest.raises(FileError, match="allow"):
        open_model(path)
    assert same(canonical(words(1)), {k: opened(path, allow_pickle=True).read(k) for k in
                                      opened(path, allow_pickle=True).specs})  # fmt: skip


def test_a_folder_of_pickles(tmp_path: Path) -> None:
    part = tmp_path / "text_encoder"
    part.mkdir()
    whole = model("sd1", 1, "diffusers", components=("text_encoder",))
    torch.save(load(whole / "text_encoder" / "model.safetensors"), part / "pytorch_model.bin")
    with pytest.raises(FileError, match="allow"):
        open_model(tmp_path)
    assert opened(tmp_path, allow_pickle=True).family.name == "sd1"


def test_half_precision_variants_are_read_where_there_is_nothing_else(tmp_path: Path) -> None:
    folder = copy(model("sd1", 1, "diffusers", components=("vae",)), tmp_path / "m")
    plain = folder / "vae" / "diffusion_pytorch_model.safetensors"
    half = plain.with_name("diffusion_pytorch_model.fp16.safetensors")
    tensors = load(plain)
    save(half, {name: 2 * tensor for name, tensor in tensors.items()})
    name = "vae.quant_conv.bias"
    before = opened(folder).read(name)
    plain.unlink()
    assert torch.equal(opened(folder).read(name), 2 * before)


def test_other_parts_of_a_pipeline_do_not_disturb(tmp_path: Path) -> None:
    folder = copy(model("sd1", 1, "diffusers", components=("vae",)), tmp_path / "m")
    save(folder / "safety_checker" / "model.safetensors", {"vision.weight": torch.ones(2)})
    (folder / "feature_extractor").mkdir()
    source = opened(folder)
    assert {key.split(".")[0] for key in source.specs} == {"vae"}
    assert source.left_out == ()


def test_samples_are_sd1_in_miniature() -> None:
    for path in sorted(SAMPLES.iterdir()):
        source = opened(path)
        assert source.family.name == "sd1"
        assert not source.missing


def test_unknown_tensors_are_structural(tmp_path: Path) -> None:
    path = save(tmp_path / "x.safetensors", {"blocks.0.w": torch.ones(2), "n": torch.arange(3)})
    source = opened(path)
    assert source.family.name == source.layout == "structural"
    assert set(source.specs) == {"blocks.0.w", "n"}


def test_loras_by_file_and_by_folder(tmp_path: Path) -> None:
    down, up = torch.ones(2, 8), torch.ones(8, 2)
    name = "base_model.model.unet.conv_in"
    factors = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    save(tmp_path / "peft" / "adapter_model.safetensors", factors)
    (tmp_path / "peft" / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 2})
    )
    assert isinstance(open_model(tmp_path / "peft"), LoraFile)
    assert isinstance(open_model(tmp_path / "peft" / "adapter_model.safetensors"), LoraFile)


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("nowhere", "no such file or folder"),
        ("empty", "holds no weights"),
        ("notes.txt", "not a kind of model file"),
        ("numbers.safetensors", "holds no weights"),
        ("strange", "pipeline of an unknown kind"),
    ],
)
def test_what_is_no_model(tmp_path: Path, name: str, phrase: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    save(tmp_path / "numbers.safetensors", {"n": torch.arange(3)})
    save(tmp_path / "strange" / "prior" / "model.safetensors", {"x": torch.ones(2)})
    with pytest.raises(FileError) as caught:
        open_model(tmp_path / name)
    assert phrase in caught.value.what
    assert caught.value.where == str(tmp_path / name)


def test_names_of_other_tools(tmp_path: Path) -> None:
    """A file of diffusers' names, and a VAE without any prefix."""
    folder = model("sd1", 1, "diffusers", components=("vae", "text_encoder"))
    one = save(tmp_path / "one.safetensors", load(folder))
    assert same(canonical(one), canonical(folder))
    bare = load(folder / "vae" / "diffusion_pytorch_model.safetensors")
    vae = save(tmp_path / "vae.safetensors", bare)
    assert set(opened(vae).specs) == {key for key in opened(folder).specs if key.startswith("vae")}


def test_extra_tensors_keep_their_names(tmp_path: Path) -> None:
    path = edited(words(1), tmp_path / "x.safetensors", betas=torch.linspace(0, 1, 5))
    assert torch.equal(opened(path).read("extra.betas"), torch.linspace(0, 1, 5))
