"""`inspect`, `convert`, `show`, `methods`, `families`: what there is, and what a file is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from adapters.lora_files import random_lora
from tiny import canonical, cli, edited, load, model, recipe, same, save, words

from sdmerge.families import FAMILIES
from sdmerge.manifest import manifest
from sdmerge.testing import random_specs

# inspect


def test_inspect_a_checkpoint(tmp_path: Path) -> None:
    more = {"model_ema.decay": torch.tensor(1.0), "betas": torch.ones(3)}
    path = edited(words(1), tmp_path / "x.safetensors", **more)
    found = cli("inspect", path, "--json").data["files"][0]
    assert found["kind"] == "checkpoint"
    assert (found["family"], found["layout"], found["variant"]) == ("sd1", "single-file", "")
    assert found["components"] == {"text_encoder": 36, "extra": 1}
    assert found["dtypes"] == {"F16": 36, "F32": 1}
    assert found["left_out"] == ["model_ema.decay"]
    assert found["missing"] == []
    assert found["bytes"] == sum(t.nbytes for t in load(words(1)).values()) + 12
    said = cli("inspect", path)
    assert "Stable Diffusion 1, single-file" in said.out
    assert "text_encoder (36)" in said.out
    assert "left out: 1 (model_ema.decay" in said.out


def test_inspect_says_what_is_missing(tmp_path: Path) -> None:
    gone = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    path = edited(words(1), tmp_path / "x.safetensors", **{gone: None})
    found = cli("inspect", path, "--json").data["files"][0]
    assert found["missing"] == ["text_encoder.final_layer_norm.bias"]
    assert "missing: 1 (text_encoder.final_layer_norm.bias" in cli("inspect", path).out


def test_inspect_a_lora(tmp_path: Path) -> None:
    sd1 = FAMILIES.get("sd1")
    specs = random_specs(sd1, scale="tiny", components=("text_encoder",))
    path = tmp_path / "l.safetensors"
    random_lora(path, sd1, specs, rank=3, alpha=1.0)
    found = cli("inspect", path, "--json").data["files"][0]
    assert (found["kind"], found["dialect"]) == ("lora", "kohya")
    assert found["ranks"] == {"3": 12}
    assert found["components"] == {"text_encoder": 12}
    said = cli("inspect", path).out
    assert "LoRA in kohya names" in said
    assert "ranks: 3 (12)" in said


def test_inspect_several(tmp_path: Path) -> None:
    two = model("sdxl", 1, components=("text_encoder", "text_encoder_2")), words(1)
    assert cli("inspect", *two, "-q").out == "sdxl\nsd1\n"
    other = save(tmp_path / "x.safetensors", {"a.0.b": torch.ones(2)})
    assert "unknown family, structural" in cli("inspect", other).out


def test_inspect_what_is_no_model(tmp_path: Path) -> None:
    said = cli("inspect", tmp_path / "nowhere")
    assert said.code == 2
    assert "no such file or folder" in said.err


# convert


def test_to_a_folder_and_back(tmp_path: Path) -> None:
    both = model("sdxl", 1, components=("text_encoder", "text_encoder_2"))
    folder, back = tmp_path / "folder", tmp_path / "back.safetensors"
    assert cli("convert", both, "-o", folder).code == 0
    assert cli("convert", folder, "-o", back).code == 0
    assert same(load(back), load(both))
    assert cli("verify", back, "-q").out == "same\n"


def test_to_another_dtype(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    assert cli("convert", words(1), "-o", out, "--dtype", "bfloat16").code == 0
    assert same(load(out), {name: t.bfloat16() for name, t in load(words(1)).items()})


def test_with_another_vae(tmp_path: Path) -> None:
    both = model("sd1", 1, components=("vae", "text_encoder"))
    out = tmp_path / "x.safetensors"
    said = cli("convert", both, "-o", out, "--vae", model("sd1", 2, components=("vae",)))
    assert said.code == 0, said.err
    result, first = canonical(out), canonical(both)
    other = canonical(model("sd1", 2, components=("vae",)))
    assert all(torch.equal(result[key], t) for key, t in other.items())
    text = [key for key in first if key.startswith("text")]
    assert all(torch.equal(result[key], first[key]) for key in text)


def test_with_the_tokenizer_of_another(tmp_path: Path) -> None:
    folder = model("sd1", 1, "diffusers", components=("text_encoder",))
    out = tmp_path / "out"
    said = cli("convert", words(1), "-o", out, "--take", f"tokenizer={folder}")
    assert said.code == 0, said.err
    own = (folder / "tokenizer" / "vocab.json").read_bytes()
    assert (out / "tokenizer" / "vocab.json").read_bytes() == own
    said = cli("convert", words(1), "-o", tmp_path / "y", "--take", "tokenizer")
    assert said.code == 2
    assert "'tokenizer' is not NAME=MODEL" in said.err


def test_prune(tmp_path: Path) -> None:
    path = edited(words(1), tmp_path / "in.safetensors", betas=torch.ones(3))
    kept, pruned = tmp_path / "kept.safetensors", tmp_path / "pruned.safetensors"
    assert cli("convert", path, "-o", kept).code == 0
    assert cli("convert", path, "-o", pruned, "--prune").code == 0
    assert "betas" in load(kept)
    assert same(load(pruned), load(words(1)))


def test_a_lora_is_not_converted(tmp_path: Path) -> None:
    sd1 = FAMILIES.get("sd1")
    specs = random_specs(sd1, scale="tiny", components=("text_encoder",))
    random_lora(tmp_path / "l.safetensors", sd1, specs)
    said = cli("convert", tmp_path / "l.safetensors", "-o", tmp_path / "x.safetensors")
    assert said.code == 2
    assert "is a LoRA" in said.err


# show


def test_show(tmp_path: Path) -> None:
    text = f"merge_method: slerp\nmodels: [{{model: {words(1)}}}, {{model: {words(2)}}}]\n"
    out = tmp_path / "x.safetensors"
    cli("merge", recipe(tmp_path / "r.yaml", text), "-o", out)
    said = cli("show", out)
    assert said.code == 0
    assert "merge_method: slerp" in said.out
    data = cli("show", out, "--json").data
    assert data["recipe"].strip() == said.out.strip()
    assert f"# recipe {data['recipe_id']}" in said.err
    assert cli("show", out, "-q").out.strip() == data["recipe_id"]
    assert [one["name"] for one in data["inputs"]] == [words(1).stem, words(2).stem]


# methods and families


def test_every_method_is_listed_and_explained() -> None:
    said = cli("methods")
    assert said.code == 0
    assert cli("methods", "-q").out.split() == list(manifest())
    for name, spec in manifest().items():
        assert name in said.out
        own = cli("methods", name)
        assert own.out.startswith(f"{spec.title} ({name})\n")
        assert spec.paper in own.out
        for param in spec.params:
            assert f"  {param.name} = {param.default}  (" in own.out
            assert param.doc in own.out
            if param.mergekit is not None:
                assert f"mergekit's default is {param.mergekit}" in own.out


@pytest.mark.parametrize("family", list(FAMILIES), ids=lambda family: family.name)
def test_every_family_is_listed_and_explained(family: object) -> None:
    name = family.name  # type: ignore[attr-defined]
    assert name in cli("families").out
    data = cli("families", name, "--json").data
    assert data["name"] == name
    assert data["components"] == [part.name for part in family.components]  # type: ignore[attr-defined]
    assert data["blocks"][0] == "IN00"
    assert set(data["layouts"]) == {"single-file", "diffusers"}
    assert f"pipeline: {data['pipeline']}" in cli("families", name).out
