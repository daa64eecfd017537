"""Results in the folders of other tools: where somebody said so, and never over what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import SAMPLES, cli, copy, words

from sdmerge.errors import InputError
from sdmerge.targets import find_target, kinds_of
from sdmerge.workspace import find_workspace

LORA = SAMPLES.parent / "loras" / "torii.safetensors"


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    root = tmp_path / "ComfyUI"
    for kind in ("checkpoints", "diffusion_models", "loras", "vae", "text_encoders"):
        (root / "models" / kind).mkdir(parents=True)
    copy(words(1), root / "models" / "text_encoders" / "a.safetensors")
    copy(words(2), root / "models" / "text_encoders" / "b.safetensors")
    copy(LORA, root / "models" / "loras" / "torii.safetensors")
    return root


def test_a_result_goes_where_its_kind_belongs(comfy: Path) -> None:
    merge = ("merge", "a.safetensors", "b.safetensors", "--method", "linear", "-o")
    assert cli("--save-to", str(comfy), *merge, "ComfyUI:ab.safetensors").code == 0
    assert (comfy / "models" / "text_encoders" / "ab.safetensors").is_file()
    again = cli("--save-to", str(comfy), *merge, "ComfyUI:ab.safetensors")
    assert again.code == 2
    assert "exists already" in again.err
    resize = ("lora", "resize", str(LORA), "--rank", "2", "-o", "ComfyUI:small.safetensors")
    assert cli("--save-to", str(comfy), *resize).code == 0
    assert (comfy / "models" / "loras" / "small.safetensors").is_file()


def test_what_is_only_read_is_not_written(comfy: Path) -> None:
    before = sorted(comfy.rglob("*"))
    for flag, target, said in (
        ("--models", "ComfyUI:x.safetensors", "ComfyUI is only read"),
        ("--save-to", "Comfyui:x.safetensors", "Did you mean 'ComfyUI'?"),
        ("--save-to", "ComfyUI:../x.safetensors", "leads out of"),
        ("--save-to", "ComfyUI:/x.safetensors", "leads out of"),
        ("--save-to", "ComfyUI:folder/", "has no folder for diffusers"),
    ):
        told = cli(flag, str(comfy), "merge", "a.safetensors", "b.safetensors", "--method",
                   "linear", "-o", target)  # fmt: skip
        assert (told.code, said in told.err) == (2, True), told.err
    assert sorted(comfy.rglob("*")) == before


def test_links_do_not_lead_out(comfy: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (comfy / "models" / "loras" / "link").symlink_to(tmp_path / "outside")
    place = find_workspace(tmp_path, (), (comfy,))
    with pytest.raises(InputError, match="leads out of"):
        find_target(place, "ComfyUI:link/x.safetensors", "loras")


def test_paths_are_paths(tmp_path: Path) -> None:
    place = find_workspace(tmp_path)
    for text in ("x.safetensors", "C:\\models\\x.safetensors", "./a:b", "out/", "/a/b:c"):
        assert find_target(place, text, "checkpoints") == Path(text)


def test_kinds() -> None:
    assert kinds_of("lora", ["unet.a"], folder=False) == ("loras",)
    assert kinds_of(None, ["unet.a", "vae.b"], folder=False) == ("checkpoints",)
    assert kinds_of(None, ["unet.a", "extra.b"], folder=False)[0] == "diffusion_models"
    both = ["text_encoder.a", "text_encoder_2.a"]
    assert kinds_of(None, both, folder=False) == ("text_encoders",)
    assert kinds_of("diffusers", ["unet.a"], folder=True) == ("diffusers",)
