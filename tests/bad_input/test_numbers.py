"""Numbers that are none, or too large: the message names file and tensor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import cli, copy, listing, load, model, overwrite, recipe, save

from bad_input.little import LAYER, linear, refused


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "dare_linear"])
def test_unsound_input(three: list[Path], tmp_path: Path, method: str, value: float) -> None:
    bad = copy(three[1], tmp_path / "in" / "bad.safetensors")
    overwrite(bad, LAYER.format(2), value)
    base = ["--base", three[2]] if method in ("ties", "dare_linear") else []
    said = cli("merge", three[0], bad, "--method", method, *base, "-o", tmp_path / "x.safetensors")
    refused(said, f"bad: '{LAYER.format(2)}' holds NaN or infinite numbers", "is damaged")
    assert listing(tmp_path) == ["in", "in/bad.safetensors"]


def test_unsound_base(three: list[Path], tmp_path: Path) -> None:
    bad = copy(three[2], tmp_path / "in" / "bad.safetensors")
    overwrite(bad, LAYER.format(0), float("nan"), 0)
    said = cli(
        "merge", three[0], "--method", "task_arithmetic", "--base", bad, "-o", tmp_path / "out"
    )
    refused(said, f"base: '{LAYER.format(0)}' holds NaN")
    assert listing(tmp_path) == ["in", "in/bad.safetensors"]


@pytest.mark.parametrize("dtype", [(), ("--dtype", "float32")], ids=["copied", "cast"])
def test_unsound_tensor_that_is_only_copied(tmp_path: Path, dtype: tuple[str, ...]) -> None:
    """A VAE is taken whole, and a result with a NaN in it draws black pictures."""
    both = ("vae", "text_encoder")
    bad = copy(model("sd1", 1, components=both), tmp_path / "in" / "bad.safetensors")
    overwrite(bad, "first_stage_model.decoder.conv_out.bias", float("nan"))
    said = linear(
        bad, model("sd1", 2, components=both), out=tmp_path / "x.safetensors", extra=dtype
    )
    refused(said, "bad: 'vae.decoder.conv_out.bias' holds NaN", "Take the component from another")
    assert listing(tmp_path) == ["in", "in/bad.safetensors"]


def test_unsound_number_that_nobody_reads(tmp_path: Path) -> None:
    """The way out that the message offers works."""
    both = ("vae", "text_encoder")
    bad = copy(model("sd1", 1, components=both), tmp_path / "bad.safetensors")
    overwrite(bad, "first_stage_model.decoder.conv_out.bias", float("nan"))
    good = model("sd1", 2, components=both)
    text = f"""
merge_method: linear
models: [{{model: {bad}}}, {{model: {good}}}]
components: {{vae: {{take: {good.stem}}}}}
"""
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", tmp_path / "x.safetensors", "-q")
    assert said.code == 0, said.err
    assert all(tensor.isfinite().all() for tensor in load(tmp_path / "x.safetensors").values())


def test_overflow_of_the_result(tmp_path: Path) -> None:
    for name in ("a", "b"):
        ones = torch.full((8, 8), 40000.0).half()
        save(tmp_path / f"{name}.safetensors", {LAYER.format(0): ones})
    arguments = ["merge", tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    arguments += ["--method", "linear", "--normalize", "false", "-o", tmp_path / "x.safetensors"]
    said = cli(*arguments)
    refused(said, f"'{LAYER.format(0)}' reaches 80000; float16 ends at 65504", "dtype: bfloat16")
    assert "x.safetensors" not in str(listing(tmp_path))
    assert cli(*arguments, "--dtype", "bfloat16").code == 0
    result = load(tmp_path / "x.safetensors")[LAYER.format(0)]
    assert torch.equal(result, torch.full((8, 8), 80000.0).bfloat16())


def test_overflow_of_a_copy(tmp_path: Path) -> None:
    big = torch.full((8, 8), 70000.0)
    path = save(tmp_path / "a.safetensors", {LAYER.format(0): big})
    said = linear(path, out=tmp_path / "x.safetensors", extra=("--dtype", "float16"))
    refused(said, "reaches 70000; float16 ends at 65504")


def test_the_largest_number_is_no_overflow(tmp_path: Path) -> None:
    """What rounds down to the largest number of float16 is stored, as IEEE 754 has it."""
    path = save(tmp_path / "a.safetensors", {LAYER.format(0): torch.tensor([65519.0, -65519.0])})
    assert linear(path, out=tmp_path / "x.safetensors", extra=("--dtype", "float16")).code == 0
    assert load(tmp_path / "x.safetensors")[LAYER.format(0)].tolist() == [65504.0, -65504.0]
    path = save(tmp_path / "b.safetensors", {LAYER.format(0): torch.tensor([65520.0])})
    refused(linear(path, out=tmp_path / "y.safetensors", extra=("--dtype", "float16")), "65520")
