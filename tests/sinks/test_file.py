"""FileSink: a single file in the family's own names, with its origin in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny import (
    canonical,
    cli,
    edited,
    listing,
    load,
    merged,
    metadata,
    model,
    planned,
    same,
    save,
    words,
)

from sdmerge.errors import InputError
from sdmerge.merge import run
from sdmerge.plan import Plan
from sdmerge.sinks import FileSink
from sdmerge.sinks.provenance import HASH_SLOT, read_origin


def plan_of(*paths: Path) -> Plan:
    return planned({"merge_method": "linear", "models": [{"model": str(path)} for path in paths]})


def written(plan: Plan, path: Path) -> Path:
    run(plan, FileSink(path))
    return path


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "sdxl-refiner"])
def test_names_and_numbers_of_every_family(tmp_path: Path, family: str) -> None:
    """Written from a folder, the file has the very tensors of the family's own single file."""
    out = written(plan_of(model(family, 1, "diffusers")), tmp_path / "x.safetensors")
    assert same(load(out), load(model(family, 1)))


def test_tensors_lie_in_the_order_they_are_read_in(tmp_path: Path) -> None:
    plan = plan_of(model("sd1", 1, components=("unet",)))
    sink = FileSink(tmp_path / "x.safetensors")
    keys = list(sink.order(plan))
    assert sorted(keys) == sorted(task.key for task in plan.tasks)
    names = list(load(written(plan, sink.path)))
    assert len(names) == len(keys)


def test_a_file_of_an_unknown_family_keeps_its_names(tmp_path: Path) -> None:
    path = save(tmp_path / "a.safetensors", {"x.y": torch.ones(2, 3), "z": torch.zeros(0)})
    out = written(plan_of(path), tmp_path / "out.safetensors")
    assert same(load(out), load(path))
    assert metadata(out)[HASH_SLOT].startswith("0x")
    assert "modelspec.architecture" not in metadata(out)


def test_metadata(tmp_path: Path) -> None:
    plan = plan_of(words(1), words(2))
    said = metadata(written(plan, tmp_path / "mine.safetensors"))
    assert said["format"] == "pt"
    assert said["modelspec.architecture"] == "stable-diffusion-v1"
    assert said["modelspec.title"] == "mine"
    assert said["modelspec.merged_from"] == f"{words(1).stem}, {words(2).stem}"
    assert said["modelspec.resolution"] == "512x512"
    assert not any("date" in key for key in said)
    assert "merge_method: linear" in said["sdmerge.recipe"]
    webui = json.loads(said["sd_merge_models"])
    inputs = json.loads(said["sdmerge.inputs"])
    assert set(webui) == {digest for one in inputs for digest in one["sha256"].values()}
    assert json.loads(said["sd_merge_recipe"])["type"] == "sdmerge"
    assert all(isinstance(value, str) for value in said.values())


def test_variants_are_said(tmp_path: Path) -> None:
    path = model("sd1", 1, components=("unet",), variant="inpaint")
    said = metadata(written(plan_of(path), tmp_path / "x.safetensors"))
    assert said["modelspec.architecture"] == "stable-diffusion-v1-inpainting"


def test_origin_is_read_back(tmp_path: Path) -> None:
    origin = read_origin(written(plan_of(words(1), words(2)), tmp_path / "x.safetensors"))
    assert origin.recipe.stages[0].method == "linear"
    assert [one["name"] for one in origin.inputs] == [words(1).stem, words(2).stem]
    assert [path.resolve() for path in origin.known.values()] == [words(1), words(2)]


def test_a_narrow_model_keeps_its_configs_on_the_way_through_a_file(tmp_path: Path) -> None:
    """Shapes do not tell the number of heads: a folder made of the file must know it still."""
    folder = model("sd1", 1, "diffusers", components=("text_encoder",))
    config = json.loads((folder / "text_encoder" / "config.json").read_text())
    changed = tmp_path / "in"
    cli("convert", folder, "-o", changed)
    (changed / "text_encoder" / "config.json").write_text(
        json.dumps({**config, "num_attention_heads": 4, "pad_token_id": 5})
    )
    file, back = tmp_path / "x.safetensors", tmp_path / "back"
    assert cli("convert", changed, "-o", file).code == 0
    assert cli("convert", file, "-o", back).code == 0
    said = json.loads((back / "text_encoder" / "config.json").read_text())
    assert (said["num_attention_heads"], said["pad_token_id"]) == (4, 5)
    assert "sdmerge.configs" in metadata(file)


def test_ordinary_models_carry_no_configs(tmp_path: Path) -> None:
    out = written(plan_of(model("sd1", 1, "diffusers")), tmp_path / "x.safetensors")
    assert "sdmerge.configs" not in metadata(out)


def test_fused_tensors_of_several_dtypes_take_the_widest(tmp_path: Path) -> None:
    """A fused query, key and value has one dtype; nothing is rounded for that."""
    folder = model("sdxl", 1, "diffusers", components=("text_encoder", "text_encoder_2"))
    name = "text_model.encoder.layers.0.self_attn.k_proj.weight"
    one = tmp_path / "in"
    cli("convert", folder, "-o", one)
    part = one / "text_encoder_2" / "model.safetensors"
    edited(part, part, **{name: load(part)[name].float() * 1.0001})
    out = written(plan_of(one), tmp_path / "x.safetensors")
    fused = "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight"
    assert load(out)[fused].dtype == torch.float32
    _, key, _ = load(out)[fused].chunk(3)
    assert torch.equal(key, load(part)[name])


@pytest.mark.parametrize("name", ["x.ckpt", "x", "x.safetensors.txt"])
def test_only_safetensors(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"ends with \.safetensors"):
        FileSink(tmp_path / name)


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    written(plan_of(words(1)), tmp_path / "a" / "b" / "x.SAFETENSORS")
    assert listing(tmp_path) == ["a", "a/b", "a/b/x.SAFETENSORS"]


def test_nothing_lies_under_the_name_before_the_end(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    sink = FileSink(tmp_path / "x.safetensors")
    run(plan_of(words(1)), sink, progress=lambda done: seen.append(listing(tmp_path)))
    assert all(len(names) == 1 and names[0].endswith(".partial") for names in seen)
    assert listing(tmp_path) == ["x.safetensors"]


def test_the_result_in_memory_is_the_result_on_disk(tmp_path: Path) -> None:
    plan = plan_of(model("sdxl", 1), model("sdxl", 2))
    out = written(plan, tmp_path / "x.safetensors")
    in_memory = merged(plan)
    assert {key: tuple(t.shape) for key, t in in_memory.items()} == {
        task.key: task.spec.shape for task in plan.tasks
    }
    assert same(canonical(out), in_memory)
