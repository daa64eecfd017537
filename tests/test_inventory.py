"""What models there are: found in folders, read once, broken ones with their error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny import SAMPLES, copy, model

from sdmerge.inventory import Inventory, describe

LORA = SAMPLES.parent / "loras" / "torii_kohya.safetensors"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    copy(model(seed=1), tmp_path / "deep" / "one.safetensors")
    copy(SAMPLES / "base", tmp_path / "base")
    copy(LORA, tmp_path / "torii.safetensors")
    (tmp_path / "half.safetensors").write_bytes(LORA.read_bytes()[:1000])
    (tmp_path / "old.ckpt").write_bytes(b"not ours to open")
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / ".hidden").mkdir()
    copy(LORA, tmp_path / ".hidden" / "x.safetensors")
    return tmp_path


def test_models_are_found_and_told(root: Path) -> None:
    found = {entry.name: entry for entry in Inventory([root]).entries()}
    assert list(found) == [
        "base", "deep/one.safetensors", "half.safetensors", "old.ckpt", "torii.safetensors",
    ]  # fmt: skip
    base, torii = found["base"], found["torii.safetensors"]
    assert (base.kind, base.family, base.layout, base.dtype) == (
        "checkpoint", "sd1", "diffusers", "F16",
    )  # fmt: skip
    assert base.blocks[0] == "IN00"
    assert set(base.components) >= {"unet", "vae", "text_encoder"}
    assert base.size > 9_000_000
    assert (torii.kind, torii.layout) == ("lora", "kohya")
    assert torii.size == LORA.stat().st_size
    for broken in ("half.safetensors", "old.ckpt"):
        assert found[broken].error
        assert not found[broken].kind
    assert "--allow-pickle" in found["old.ckpt"].error


def test_headers_are_read_once(root: Path) -> None:
    inventory = Inventory([root])
    first, again = inventory.entries(), inventory.entries()
    assert all(one is other for one, other in zip(first, again, strict=True))
    path = root / "torii.safetensors"
    os.utime(path, ns=(1, 1))
    assert inventory.find("torii.safetensors") is not next(
        one for one in first if one.name == "torii.safetensors"
    )


def test_models_are_found_by_name_and_path(root: Path) -> None:
    inventory = Inventory([root])
    for name in ("torii.safetensors", str(root / "torii.safetensors")):
        entry = inventory.find(name)
        assert entry is not None
        assert entry.kind == "lora"
    assert inventory.find("nowhere.safetensors") is None


def test_the_first_folder_has_the_short_name(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    copy(SAMPLES / "ukiyoe.safetensors", other / "torii.safetensors")
    copy(LORA, other / "sub" / "torii.safetensors")
    tops = Inventory([other / "sub", other, root], places=[other / "sub", other, root])
    found = {entry.name: entry.path for entry in tops.entries() if "torii" in entry.name}
    assert found == {
        "torii.safetensors": other / "sub" / "torii.safetensors",
        str(other / "torii.safetensors"): other / "torii.safetensors",
        str(root / "torii.safetensors"): root / "torii.safetensors",
    }
    tops = Inventory([root], places=[root / "deep", root], near=[other])
    names = {entry.path.name: entry.name for entry in tops.entries()}
    assert names["one.safetensors"] == "one.safetensors"
    assert names["torii.safetensors"] == str(root / "torii.safetensors")  # another lies nearer
    for name in names.values():
        assert (entry := tops.find(name)) is not None
        assert entry.name == name


def test_description() -> None:
    told = describe(SAMPLES / "ukiyoe.safetensors")
    assert (told["kind"], told["family"], told["layout"]) == ("checkpoint", "sd1", "single-file")
    assert sum(told["components"].values()) == told["tensors"]


def test_a_list_does_not_wait_for_headers(root: Path) -> None:
    whole = Inventory([root]).entries()
    hasty = Inventory([root], patience=0)
    first = hasty.entries()
    assert [(one.name, one.size) for one in first] == [(one.name, one.size) for one in whole]
    assert all(one.unread and not one.kind for one in first)
    hasty._reader.join(60)
    assert hasty.entries() == whole
