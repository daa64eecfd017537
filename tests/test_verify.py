"""verify names what differs: a bit in the result, in an input, a tensor too few or too many."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import Said, cli, copy, edited, flip_bit, load, model, recipe, save, words

from sdmerge.errors import InputError
from sdmerge.verify import verify

NORM = "cond_stage_model.transformer.text_model.encoder.layers.1.layer_norm2.weight"
CANONICAL = "text_encoder.encoder.layers.1.layer_norm2.weight"


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A merge of copies, which a test may change."""
    for name, seed in (("a", 1), ("b", 2)):
        copy(words(seed), tmp_path / f"{name}.safetensors")
    text = "merge_method: slerp\nmodels: [{model: a.safetensors}, {model: b.safetensors}]\n"
    out = tmp_path / "out.safetensors"
    assert cli("merge", recipe(tmp_path / "r.yaml", text), "-o", out).code == 0
    return out


def named(said: Said) -> list[str]:
    """What `verify -q` names; the exit code must agree."""
    assert said.code == (0 if said.out == "same\n" else 2), said.err
    return said.out.splitlines()


def test_unchanged(result: Path) -> None:
    said = cli("verify", result)
    assert said.code == 0
    assert said.out == f"{result}: all 36 tensors are what the recipe gives\n"
    found = cli("verify", result, "--json").data
    assert found["same"]
    assert found["tensors"] == 36
    assert not found["differing"] + found["missing"] + found["surplus"] + found["changed_inputs"]


@pytest.mark.parametrize("element", [0, -1])
def test_one_bit_of_the_result(result: Path, element: int) -> None:
    flip_bit(result, NORM, element)
    assert named(cli("verify", result, "-q")) == [CANONICAL]
    said = cli("verify", result)
    assert said.code == 2
    assert f"1 differ: {CANONICAL}" in said.err
    assert "The inputs are those of the merge" in said.err
    flip_bit(result, NORM, element)
    assert named(cli("verify", result, "-q")) == ["same"]


def test_one_bit_of_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    two = [model("sd1", seed, components=("text_encoder", "vae")) for seed in (1, 2)]
    assert cli("merge", *two, "--method", "linear", "-o", out).code == 0
    assert named(cli("verify", out, "-q")) == ["same"]
    flip_bit(out / "vae" / "diffusion_pytorch_model.safetensors", "decoder.conv_out.bias")
    assert named(cli("verify", out, "-q")) == ["vae.decoder.conv_out.bias"]


def test_json_stays_one_value_when_something_differs(result: Path) -> None:
    flip_bit(result, NORM)
    said = cli("verify", result, "--json")
    assert said.code == 2
    assert said.data["differing"] == [CANONICAL]
    assert not said.data["same"]


def test_one_bit_of_an_input(result: Path) -> None:
    flip_bit(result.with_name("b.safetensors"), NORM, sign=True)
    assert named(cli("verify", result, "-q")) == [CANONICAL]
    said = cli("verify", result)
    assert "Inputs that changed since: b (b.safetensors)" in said.err
    assert cli("verify", result, "--json").data["changed_inputs"] == ["b (b.safetensors)"]


def test_an_input_of_the_same_tensors_in_another_file_is_no_difference(result: Path) -> None:
    """Metadata changes the file's hash and nothing else."""
    path = result.with_name("a.safetensors")
    save(path, load(path), {"title": "renamed"})
    found = verify(result)
    assert found.same
    assert found.changed_inputs == ("a (a.safetensors)",)


def test_tensors_too_few_and_too_many(result: Path, tmp_path: Path) -> None:
    stray = torch.zeros(2)
    edited(result, result, **{NORM: None, "stray": stray})
    found = verify(result)
    assert found.missing == (CANONICAL,)
    assert found.surplus == ("extra.stray",)
    assert not found.differing
    said = cli("verify", result)
    assert said.code == 2
    assert f"1 are missing: {CANONICAL}; 1 are not of the recipe: extra.stray" in said.err


def test_another_dtype_is_a_difference(result: Path) -> None:
    edited(result, result, **{NORM: load(result)[NORM].float()})
    assert verify(result).differing == (CANONICAL,)


def test_result_without_a_recipe(tmp_path: Path) -> None:
    for said in (cli("verify", words()), cli("show", words())):
        assert said.code == 2
        assert str(words()) in said.err
        assert "not written by sdmerge" in said.err
    (tmp_path / "empty").mkdir()
    assert cli("verify", tmp_path / "empty").code == 2
    assert cli("verify", tmp_path / "nowhere").code == 2


def test_input_that_is_gone(result: Path) -> None:
    result.with_name("a.safetensors").unlink()
    said = cli("verify", result)
    assert said.code == 2
    assert "there is no model 'a.safetensors'" in said.err


def test_from_any_folder_and_after_a_move(
    result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are as seen from the result, so a folder that is moved as a whole still verifies."""
    monkeypatch.chdir("/")
    assert verify(result).same
    moved = result.parent.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert verify(moved / result.name).same


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("out", ["sub/x.safetensors", "sub/folder"])
def test_ad_hoc_merges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    copy(words(1), tmp_path / "in" / "a.safetensors")
    copy(words(2), tmp_path / "in" / "b.safetensors")
    head = tmp_path if absolute else Path()
    models = [head / "in" / "a.safetensors", head / "in" / "b.safetensors"]
    assert cli("merge", *models, "--method", "linear", "-o", out).code == 0
    monkeypatch.chdir("/")
    assert named(cli("verify", tmp_path / out, "-q")) == ["same"]


def test_inputs_of_one_name_in_several_stages(tmp_path: Path) -> None:
    """Aliases are of a stage, and a file called base is not the base."""
    for folder, seed in (("one", 1), ("two", 2), ("three", 3)):
        copy(words(seed), tmp_path / folder / "base.safetensors")
    text = """
name: first
merge_method: linear
models: [{model: one/base.safetensors}]
---
merge_method: task_arithmetic
base_model: three/base.safetensors
models: [{model: two/base.safetensors}, {model: first}]
"""
    out = tmp_path / "x.safetensors"
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", out)
    assert said.code == 0, said.err
    found = verify(out)
    assert found.same
    assert found.changed_inputs == ()


@pytest.mark.parametrize("out", ["x.safetensors", "folder"])
def test_what_a_layout_has_no_place_for_is_not_missing(tmp_path: Path, out: str) -> None:
    extra = {"betas": torch.linspace(0, 1, 10), "cond_stage_model.logit_scale": torch.tensor(4.6)}
    path = edited(words(), tmp_path / "with.safetensors", **extra)
    assert cli("convert", path, "-o", tmp_path / out).code == 0
    assert named(cli("verify", tmp_path / out, "-q")) == ["same"]


def test_pruned_result(tmp_path: Path) -> None:
    path = edited(words(), tmp_path / "with.safetensors", betas=torch.linspace(0, 1, 10))
    assert cli("convert", path, "--prune", "-o", tmp_path / "x.safetensors").code == 0
    assert "betas" not in load(tmp_path / "x.safetensors")
    assert named(cli("verify", tmp_path / "x.safetensors", "-q")) == ["same"]


def test_lora_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not written by sdmerge"):
        verify(save(tmp_path / "l.safetensors", {"lora_unet_x.lora_up.weight": torch.zeros(4, 2)}))
