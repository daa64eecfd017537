"""`merge` and `plan`: recipes and ad hoc merges say the same, and change what they are told to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import canonical, cli, listing, load, merged, metadata, recipe, same, save, words

RECIPE = f"""
merge_method: dare_linear
base_model: {words(0)}
models:
  - model: {words(1)}
    name: a
    parameters: {{weight: 0.7}}
  - model: {words(2)}
    name: b
    parameters: {{weight: 0.3}}
parameters: {{density: 0.5}}
seed: 4
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return recipe(tmp_path / "r.yaml", RECIPE)


def tensors(*arguments: object, out: Path) -> dict[str, torch.Tensor]:
    said = cli("merge", *arguments, "-o", out, "--force")
    assert said.code == 0, said.err
    return canonical(out)


def test_a_recipe_and_its_ad_hoc_twin(tmp_path: Path) -> None:
    one = f"merge_method: ties\nbase_model: {words(0)}\nmodels:\n"
    for seed, weight in ((1, 0.7), (2, 0.3)):
        one += f"  - model: {words(seed)}\n    parameters: {{weight: {weight}, density: 0.4}}\n"
    path = recipe(tmp_path / "r.yaml", one)
    flags = ["--base", words(0), "--weight", "0.7,0.3", "--density", "0.4", "--method", "ties"]
    first = tensors(path, out=tmp_path / "one.safetensors")
    second = tensors(words(1), words(2), *flags, out=tmp_path / "two.safetensors")
    assert same(first, second)


@pytest.mark.parametrize(
    ("flags", "recipe_change"),
    [
        (["--seed", "9"], ("seed: 4", "seed: 9")),
        (["--set", "seed=9"], ("seed: 4", "seed: 9")),
        (["--set", "density=0.9"], ("density: 0.5", "density: 0.9")),
        (["--set", "parameters.density=0.9"], ("density: 0.5", "density: 0.9")),
        (["--set", "models[b].parameters.weight=1"], ("weight: 0.3", "weight: 1")),
        (["--set", "models[0].parameters.weight=1"], ("weight: 0.7", "weight: 1")),
        (["--set", "merge_method=dare_ties"], ("dare_linear", "dare_ties")),
        (["--dtype", "bfloat16"], ("seed: 4", "seed: 4\ndtype: bfloat16")),
        (["--set", "dtype=float32", "--dtype", "bf16"], ("seed: 4", "seed: 4\ndtype: bf16")),
    ],
)
def test_changes_on_the_command_line(
    path: Path, tmp_path: Path, flags: list[str], recipe_change: tuple[str, str]
) -> None:
    changed = recipe(tmp_path / "changed.yaml", RECIPE.replace(*recipe_change))
    first = tensors(path, *flags, out=tmp_path / "one.safetensors")
    assert same(first, tensors(changed, out=tmp_path / "two.safetensors"))
    assert not same(first, tensors(path, out=tmp_path / "three.safetensors"))
    assert cli("verify", tmp_path / "one.safetensors", "-q").out == "same\n"


def test_the_base_comes_from_its_flag(tmp_path: Path) -> None:
    flags = ["--method", "task_arithmetic", "--weight", "0.5"]
    result = tensors(words(1), "--base", words(0), *flags, out=tmp_path / "x.safetensors")
    expected = merged({
        "merge_method": "task_arithmetic", "base_model": str(words(0)),
        "models": [{"model": str(words(1)), "parameters": {"weight": 0.5}}],
    })  # fmt: skip
    assert same(result, expected)


def test_switches_and_choices(tmp_path: Path) -> None:
    two = [words(1), words(2)]
    flags = ["--method", "linear", "--normalize", "no"]
    result = tensors(*two, *flags, out=tmp_path / "x.safetensors")
    key = "text_encoder.final_layer_norm.weight"
    first, second = (canonical(path)[key].float() for path in two)
    assert torch.allclose(result[key].float(), first + second, atol=2e-3)
    plain = tensors(*two, "--method", "slerp", out=tmp_path / "y.safetensors")
    raw = tensors(*two, "--method", "slerp", "--norm", "raw", out=tmp_path / "z.safetensors")
    assert not same(plain, raw)


def test_threads_change_nothing(path: Path, tmp_path: Path) -> None:
    one = tensors(path, "--threads", "1", out=tmp_path / "x.safetensors")
    assert same(one, tensors(path, "--threads", "3", out=tmp_path / "y.safetensors"))


@pytest.mark.parametrize(
    ("out", "flags", "files"),
    [
        ("x.safetensors", [], ["x.safetensors"]),
        ("x.safetensors", ["--layout", "single-file"], ["x.safetensors"]),
        ("x", [], None),
        ("x/", ["--layout", "diffusers"], None),
        ("my.model.v2", [], None),
    ],
)
def test_the_name_says_the_layout(
    tmp_path: Path, out: str, flags: list[str], files: list[str] | None
) -> None:
    said = cli("merge", words(1), "--method", "linear", "-o", f"{tmp_path}/{out}", *flags)
    assert said.code == 0, said.err
    names = listing(tmp_path)
    assert names == files if files else f"{out.rstrip('/')}/model_index.json" in names


def test_the_layout_of_a_recipe(tmp_path: Path, path: Path) -> None:
    single = recipe(path, RECIPE + "output: {layout: single-file}\n")
    assert cli("merge", single, "-o", tmp_path / "x.safetensors").code == 0
    assert cli("merge", single, "-o", tmp_path / "folder").code == 2
    flags = ["--layout", "diffusers"]
    assert cli("merge", single, "-o", tmp_path / "folder", *flags).code == 0


# plan


def test_a_plan_reads_no_tensor_and_says_what_a_merge_would_do(path: Path, tmp_path: Path) -> None:
    said = cli("plan", path)
    assert said.code == 0
    for phrase in ("sd1: 36 tensors merged, 0 copied", "text_encoder", "dare_linear", "reads"):
        assert phrase in said.out
    assert listing(tmp_path) == ["r.yaml"]
    plan, merge = cli("plan", path, "--json").data, cli(
        "merge", path, "-o", tmp_path / "x.safetensors", "--json"
    ).data  # fmt: skip
    assert plan.items() <= merge.items()
    assert metadata(tmp_path / "x.safetensors")["sdmerge.version"]


def test_a_plan_counts_what_each_filter_takes(tmp_path: Path) -> None:
    rules = "[{filter: mlp, value: 0.1}, {filter: '*.bias', value: 0.2}, {value: 0.3}]"
    path = recipe(tmp_path / "r.yaml", RECIPE.replace("weight: 0.7", f"weight: {rules}"))
    said = cli("plan", path, "--json").data
    own = [(one["filter"], one["tensors"]) for one in said["filters"]
           if one["parameter"] == "a.weight"]  # fmt: skip
    names = [key.removeprefix("text_encoder.") for key in canonical(words(1))]
    mlp = [name for name in names if ".mlp." in name]
    bias = [name for name in names if name.endswith(".bias") and name not in mlp]
    assert own == [("mlp", len(mlp)), ("*.bias", len(bias)), ("*", 36 - len(mlp) - len(bias))]
    text = cli("plan", path).out
    assert "a.weight" in text
    assert "mlp" in text


def test_the_id_of_a_recipe_is_that_of_what_it_says(path: Path, tmp_path: Path) -> None:
    one = cli("plan", path, "-q").out
    spaced = recipe(tmp_path / "s.yaml", "# the same\n" + RECIPE.replace("0.5}", "0.50 }"))
    assert cli("plan", spaced, "-q").out == one
    assert cli("plan", path, "-q", "--seed", "5").out != one


def test_notes_are_printed(tmp_path: Path) -> None:
    said = cli("plan", words(1), "--method", "ties", "--base", words(0))
    assert "note: ties.density is 0.2 by default, in mergekit 1.0" in said.out


def test_an_unknown_family_is_merged_as_it_is(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / f"{name}.safetensors", {"w": torch.ones(3) * ord(name)})
    out = tmp_path / "x.safetensors"
    said = cli("merge", tmp_path / "a.safetensors", tmp_path / "b.safetensors",
               "--method", "linear", "-o", out)  # fmt: skip
    assert said.code == 0
    assert load(out)["w"].tolist() == [97.5] * 3
