"""FolderSink: a folder with everything a pipeline needs, and who gives what."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import (
    SAMPLES,
    canonical,
    cli,
    copy,
    edited,
    flip_bit,
    listing,
    load,
    model,
    planned,
    recipe,
    same,
    save,
    unet,
    words,
)

from sdmerge.errors import InputError, PlanError
from sdmerge.merge import run
from sdmerge.sinks import FolderSink


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def merge(out: Path, *arguments: object) -> Path:
    said = cli("merge", *arguments, "--method", "linear", "-o", out)
    assert said.code == 0, said.err
    return out


# what is written


def test_everything_a_pipeline_needs(tmp_path: Path) -> None:
    out = merge(tmp_path / "out", model("sd1", 1), model("sd1", 2))
    assert listing(out) == [
        "model_index.json",
        "scheduler",
        "scheduler/scheduler_config.json",
        "sdmerge.json",
        "text_encoder",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "unet",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    index = read(out / "model_index.json")
    assert index["_class_name"] == "StableDiffusionPipeline"
    assert index["text_encoder"] == ["transformers", "CLIPTextModel"]
    assert index["safety_checker"] == [None, None]


def test_text_encoders_are_written_with_the_name_that_all_loaders_read(tmp_path: Path) -> None:
    both = ("text_encoder", "text_encoder_2")
    out = merge(tmp_path / "out", model("sdxl", 1, components=both))
    for name in both:
        heads = {key.split(".")[0] for key in load(out / name / "model.safetensors")}
        assert heads - {"text_projection"} == {"text_model"}
    assert "text_projection.weight" in load(out / "text_encoder_2" / "model.safetensors")


def test_a_part_of_a_pipeline_is_a_folder_too(tmp_path: Path) -> None:
    out = merge(tmp_path / "out", unet(1), unet(2))
    assert {item.name for item in out.iterdir()} == {
        "model_index.json", "scheduler", "sdmerge.json", "unet",
    }  # fmt: skip
    assert read(out / "model_index.json")["text_encoder"] == [None, None]


# who gives what


def test_the_first_that_has_them_gives_configs_tokenizer_and_scheduler(tmp_path: Path) -> None:
    one = copy(SAMPLES / "japanese", tmp_path / "one")
    two = copy(SAMPLES / "ukiyoe", tmp_path / "two")
    (one / "tokenizer" / "extra.txt").write_text("of one")
    scheduler = read(one / "scheduler" / "scheduler_config.json")
    changed = {**scheduler, "beta_end": 0.5}
    (one / "scheduler" / "scheduler_config.json").write_text(json.dumps(changed))
    config = read(one / "unet" / "config.json")
    (one / "unet" / "config.json").write_text(json.dumps({**config, "sample_size": 16}))
    out = merge(tmp_path / "out", one, two)
    assert (out / "tokenizer" / "extra.txt").read_text() == "of one"
    assert read(out / "scheduler" / "scheduler_config.json")["beta_end"] == 0.5
    out = merge(tmp_path / "swapped", two, one)
    assert not (out / "tokenizer" / "extra.txt").exists()
    assert read(out / "unet" / "config.json")["sample_size"] == 8


def test_the_recipe_says_whose_tokenizer_and_scheduler(tmp_path: Path) -> None:
    one = copy(SAMPLES / "japanese", tmp_path / "one")
    two = copy(SAMPLES / "ukiyoe", tmp_path / "two")
    (two / "tokenizer" / "extra.txt").write_text("of two")
    config = read(two / "scheduler" / "scheduler_config.json")
    (two / "scheduler" / "scheduler_config.json").write_text(json.dumps({**config, "beta_end": 9}))
    text = f"""
merge_method: linear
models: [{{model: {one}}}, {{model: {two}, name: b}}]
components: {{tokenizer: {{take: b}}, scheduler: {{take: b}}, text_encoder: {{take: b}}}}
"""
    out = tmp_path / "out"
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", out)
    assert said.code == 0, said.err
    assert (out / "tokenizer" / "extra.txt").read_text() == "of two"
    assert read(out / "scheduler" / "scheduler_config.json")["beta_end"] == 9
    text_encoder = load(out / "text_encoder" / "model.safetensors")
    assert same(text_encoder, load(two / "text_encoder" / "model.safetensors"))


def test_the_familys_own_serve_where_no_input_has_any(tmp_path: Path) -> None:
    """A single file brings neither tokenizer nor scheduler."""
    out = merge(tmp_path / "out", model("sdxl", 1))
    assert read(out / "scheduler" / "scheduler_config.json")["_class_name"].startswith("Euler")
    vocabulary = read(out / "tokenizer" / "vocab.json")
    assert len(vocabulary) == 49408
    assert vocabulary["<|endoftext|>"] == 49407
    assert read(out / "tokenizer" / "special_tokens_map.json")["pad_token"] == "<|endoftext|>"
    assert read(out / "tokenizer_2" / "special_tokens_map.json")["pad_token"] == "!"


def test_a_vocabulary_of_its_own_needs_its_tokenizer(tmp_path: Path) -> None:
    """The samples' text encoder has words of its own, which CLIP's tokenizer does not know."""
    planned_alone = planned(
        {"merge_method": "linear", "models": [{"model": str(SAMPLES / "ukiyoe.safetensors")}]}
    )
    with pytest.raises(PlanError) as caught:
        run(planned_alone, FolderSink(tmp_path / "out"))
    assert "no input brings a tokenizer for text_encoder" in caught.value.what
    assert "components: {tokenizer: {take: FOLDER}}" in caught.value.hint
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), ("epsilon", None)),
        (("v_pred",), ("v_prediction", None)),
        (("v_pred", "ztsnr"), ("v_prediction", True)),
    ],
)
def test_flags_of_a_single_file_reach_the_scheduler(
    tmp_path: Path, flags: tuple[str, ...], expected: tuple[str, object]
) -> None:
    path = edited(
        model("sdxl", 1, components=("unet",)),
        tmp_path / "in.safetensors",
        **dict.fromkeys(flags, torch.zeros(0)),
    )
    out = merge(tmp_path / "out", path)
    config = read(out / "scheduler" / "scheduler_config.json")
    assert (config["prediction_type"], config.get("rescale_betas_zero_snr")) == expected


def test_variants_have_pipelines_of_their_own(tmp_path: Path) -> None:
    two = [model("sd1", n, components=("unet",), variant="inpaint") for n in (1, 2)]
    out = merge(tmp_path / "out", *two)
    index = read(out / "model_index.json")
    assert index["_class_name"] == "StableDiffusionInpaintPipeline"
    assert read(out / "unet" / "config.json")["in_channels"] == 9


def test_a_pipeline_class_of_the_input_is_kept(tmp_path: Path) -> None:
    one = copy(SAMPLES / "base", tmp_path / "one")
    index = read(one / "model_index.json")
    index = {**index, "_class_name": "StableDiffusionImg2ImgPipeline"}
    (one / "model_index.json").write_text(json.dumps(index))
    out = merge(tmp_path / "out", one)
    assert read(out / "model_index.json")["_class_name"] == "StableDiffusionImg2ImgPipeline"


def test_a_folder_of_an_unknown_family_keeps_the_files_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "llm"
    save(folder / "model.safetensors", {"model.layers.0.w": torch.ones(2)})
    for name in ("config.json", "tokenizer.json", "README.md", "model.safetensors.index.json"):
        (folder / name).write_text("{}")
    (folder / "script.py").write_text("print()")
    out = merge(tmp_path / "out", folder)
    assert listing(out) == [
        "README.md", "config.json", "model.safetensors", "sdmerge.json", "tokenizer.json",
    ]  # fmt: skip


# how it is written


def test_shards(tmp_path: Path) -> None:
    out = tmp_path / "out"
    two = [model("sd1", n, components=("vae", "text_encoder")) for n in (1, 2)]
    merge(out, *two, "--max-shard-size", "100kB")
    index = read(out / "vae" / "diffusion_pytorch_model.safetensors.index.json")
    files = sorted(set(index["weight_map"].values()))
    assert len(files) > 3
    assert sorted(item.name for item in (out / "vae").glob("*.safetensors")) == files
    for name, file in index["weight_map"].items():
        assert name in load(out / "vae" / file)
    assert all((out / "vae" / file).stat().st_size < 150_000 for file in files)
    assert same(canonical(out), canonical(merge(tmp_path / "plain", *two)))
    assert cli("verify", out, "-q").out == "same\n"
    flip_bit(out / "vae" / index["weight_map"]["quant_conv.bias"], "quant_conv.bias")
    assert cli("verify", out, "-q").out == "vae.quant_conv.bias\n"


def test_a_run_that_was_killed_is_cleaned_up_after(tmp_path: Path) -> None:
    """The name of the folder says which process made it, and 2**22 is no process."""
    dead = tmp_path / f"out.{2**22 + 1}.partial"
    (dead / "unet").mkdir(parents=True)
    alive = tmp_path / f"out.{os.getppid()}.partial"
    alive.mkdir()
    merge(tmp_path / "out", words(1))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["out", alive.name]


def test_a_bug_in_the_middle_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    out = merge(tmp_path / "out", words(1))
    before = {name: (out / name).stat() for name in listing(out)}
    plan = planned({"merge_method": "linear", "models": [{"model": str(words(2))}]})

    def fail(done: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(plan, FolderSink(out, force=True), progress=fail)
    assert {name: (out / name).stat() for name in listing(out)} == before
    assert [item.name for item in tmp_path.iterdir()] == ["out"]


def test_a_swap_that_fails_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = merge(tmp_path / "out", words(1))
    before = listing(out)
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial") and self.is_dir():
            raise PermissionError(13, "open in another program", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    said = cli("merge", words(2), "--method", "linear", "-o", out, "--force")
    assert said.code == 3
    assert "open in another program" in said.err
    assert listing(out) == before
    assert [item.name for item in tmp_path.iterdir()] == ["out"]
    assert cli("verify", out, "-q").out == "same\n"


def test_force_replaces_models_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not a model's folder"):
        FolderSink(tmp_path / "out", force=True)
    (tmp_path / "out" / "model_index.json").write_text("{}")
    FolderSink(tmp_path / "out", force=True)
