"""Recipes and flags that say what cannot be: the message has the line and the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import cli, listing, load, recipe

from bad_input.little import GOOD, linear, refused


@pytest.mark.parametrize(
    ("wrong", "right", "line", "phrases"),
    [
        ("ties", "tiess", 1, ["no merge method 'tiess'", "Did you mean 'ties'"]),
        ("density", "densty", 8, ["no parameter 'densty'", "Did you mean 'density'"]),
        ("base_model", "base_modle", 2, ["no key 'base_modle'", "Did you mean 'base_model'"]),
        ("density: 0.5", "density: 1.5", 8, ["density = 1.5 is outside 0..1"]),
        ("density: 0.5", "density: high", 8, ["density = 'high' should be a number"]),
        ("weight: 0.5", "weight: -4.5", 6, ["weight = -4.5 is outside -4..4"]),
        ("weight: 0.5", "weight: {preset: NOPE}", 6, ["no preset 'NOPE'"]),
        ("weight: 0.5", "weight: [{filter: IN77, value: 1}]", 6, ["'IN77' takes no tensor"]),
        ("weight: 0.5", "weight: 0.5\n   oops", 7, ["not YAML"]),
        ("models:", "models: []\nx:", 4, ["no key 'x'"]),
    ],
)
def test_recipe(
    three: list[Path], tmp_path: Path, wrong: str, right: str, line: int, phrases: list[str]
) -> None:
    text = GOOD.format(base=three[2], a=three[0])
    assert cli("plan", recipe(tmp_path / "good.yaml", text)).code == 0
    path = recipe(tmp_path / "bad.yaml", text.replace(wrong, right, 1))
    said = cli("merge", path, "-o", tmp_path / "x.safetensors")
    refused(said, f"{path}:{line}", *phrases)
    assert sorted(listing(tmp_path)) == ["bad.yaml", "good.yaml"]


def test_filter_that_is_shadowed(three: list[Path], tmp_path: Path) -> None:
    rules = "[{filter: self_attn, value: 1}, {filter: layers.1, value: 0.5}, {value: 0}]"
    text = GOOD.format(base=three[2], a=three[0]).replace("weight: 0.5", f"weight: {rules}")
    path = recipe(tmp_path / "r.yaml", text)
    said = cli("merge", path, "-o", tmp_path / "x.safetensors")
    refused(said, f"{path}:6", "'layers.1' is shadowed", "all its 1 tensors", "Move it above")


@pytest.mark.parametrize(
    ("flags", "phrases"),
    [
        ((), ["needs --method", "--method linear"]),
        (("--method", "linaer"), ["no merge method 'linaer'", "Did you mean 'linear'"]),
        (("--method", "linear", "--t", "0.3"), ["linear has no parameter 't'", "It takes: weight"]),
        (("--method", "slerp", "--t", "1.3"), ["t = 1.3 is outside 0..1", "0 is A, 1 is B"]),
        (("--method", "slerp", "--t", "0.1,0.2"), ["--t has 2 values", "it takes one value"]),
        (("--method", "slerp", "--norm", "rwa"), ["'rwa'", "one of lerp, raw", "'raw'"]),
        (("--method", "linear", "--weight", "1,2,3"), ["--weight has 3 values", "one value or 2"]),
        (("--method", "linear", "--weight", "much"), ["weight = 'much' should be a number"]),
        (("--method", "linear", "--weight", "nan"), ["weight = nan is outside"]),
        (("--method", "ties"), ["ties needs a base_model", "base_model: PATH"]),
        (("--method", "linear", "--dtype", "flaot16"), ["flaot16", "float16"]),
        (("--method", "linear", "--set", "parameters.weigth=1"), ["'weigth'", "'weight'"]),
        (("--method", "linear", "--set", "models[7].name=x"), ["models[7]", "0 to 1: a, b"]),
        (("--method", "linear", "--set", "weight"), ["PATH=VALUE", "parameters.t=0.3"]),
        (("--method", "linear", "--threads", "0"), ["--threads"]),
        (("--method", "linear", "--wieght", "1"), ["--wieght", "--weight"]),
        (("--method", "linear", "--max-shard-size", "big"), ["'big' is not a size", "5GB"]),
    ],
)
def test_flags(
    three: list[Path], tmp_path: Path, flags: tuple[str, ...], phrases: list[str]
) -> None:
    refused(cli("merge", *three[:2], *flags, "-o", tmp_path / "out"), *phrases)
    assert listing(tmp_path) == []


def test_a_recipe_with_flags_of_an_ad_hoc_merge(three: list[Path], tmp_path: Path) -> None:
    path = recipe(tmp_path / "r.yaml", GOOD.format(base=three[2], a=three[0]))
    said = cli("merge", path, "--weight", "1", "--method", "ties", "-o", tmp_path / "x.safetensors")
    refused(said, "--method, --weight belong to an ad hoc merge", "--set")
    said = cli("merge", path, three[1], "-o", tmp_path / "x.safetensors")
    refused(said, "one recipe, or models, not both")


def test_a_model_that_is_not_there(three: list[Path], tmp_path: Path) -> None:
    """A name like this may be one on the hub, which is out of reach here."""
    said = linear(three[0], "models/nothing", out=tmp_path / "x.safetensors")
    refused(said, "there is no model 'models/nothing'", str(Path.cwd() / "models"))
    refused(cli("merge", tmp_path / "no.yaml", "-o", tmp_path / "x"), "no.yaml", "no such file")
    refused(linear(three[0], tmp_path, out=tmp_path / "x"), str(tmp_path), "holds no weights")


def test_pickles_are_not_read_unasked(three: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": load(three[1])}, path)
    said = linear(three[0], path, out=tmp_path / "x.safetensors")
    refused(said, str(path), "--allow-pickle")
    said = linear(three[0], path, out=tmp_path / "x.safetensors", extra=("--allow-pickle",))
    assert said.code == 0, said.err
    both = [load(path) for path in three[:2]]
    result = load(tmp_path / "x.safetensors")
    for name, tensor in result.items():
        mean = (both[0][name].float() + both[1][name].float()) / 2
        assert torch.equal(tensor, mean.half())


def test_layers_are_not_cut(three: list[Path], tmp_path: Path) -> None:
    text = f"""
merge_method: linear
slices:
  - sources:
      - {{model: {three[0]}, layer_range: [0, 3]}}
      - {{model: {three[1]}, layer_range: [0, 3]}}
"""
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", tmp_path / "x.safetensors")
    refused(said, "layer_range [0, 3]", "it has 4 layers", "not re-ordered")
