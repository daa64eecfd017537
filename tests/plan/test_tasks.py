"""Tasks are addressed by content: equal work has equal keys, and nothing else has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny import Data, copy, model, overwrite, planned, unet, words

from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data


def recipe(*models: Path | str, method: str = "linear", **more: object) -> Data:
    listed = [{"model": str(path), "name": f"m{n}"} for n, path in enumerate(models)]
    return {"merge_method": method, "models": listed, **more}


def changed(first: Data, second: Data) -> set[str]:
    """The canonical keys whose tasks differ."""
    one, two = planned(first).keys, planned(second).keys
    assert one.keys() == two.keys()
    return {key for key in one if one[key] != two[key]}


def test_equal_work_in_recipes_that_say_it_differently() -> None:
    one = recipe(words(1), words(2), parameters={"weight": 0.5})
    two = recipe(words(1), words(2))
    for entry in two["models"]:
        entry["parameters"] = {"weight": [{"filter": "attn", "value": 0.5}, {"value": 0.5}]}
    assert not changed(one, two)
    assert planned(one).id == planned(two).id


def test_another_value_in_one_block_changes_that_block() -> None:
    def with_value(value: float) -> Data:
        rules = [{"filter": "in04", "value": value}, {"value": 0.5}]
        data = recipe(unet(1), unet(2))
        data["models"][0]["parameters"] = {"weight": rules}
        return data

    keys = changed(with_value(0.1), with_value(0.2))
    assert keys
    assert all(key.startswith("unet.down_blocks.1.") for key in keys)
    assert {key.split(".")[4] for key in keys} == {"0"}
    assert len(keys) < 40


def test_copies_of_a_file_are_the_same_input(tmp_path: Path) -> None:
    other = copy(words(2), tmp_path / "sub" / "renamed.safetensors")
    assert not changed(recipe(words(1), words(2)), recipe(words(1), other))


def test_a_changed_input_changes_the_key(tmp_path: Path) -> None:
    other = copy(words(2), tmp_path / "b.safetensors")
    name = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
    overwrite(other, name, 3.0)
    assert len(changed(recipe(words(1), words(2)), recipe(words(1), other))) == 36


def test_a_folder_changes_only_the_component_whose_file_changes(tmp_path: Path) -> None:
    folder = model("sd1", 2, "diffusers", components=("vae", "text_encoder"))
    other = copy(folder, tmp_path / "other")
    overwrite(other / "vae" / "diffusion_pytorch_model.safetensors", "quant_conv.bias", 3.0)
    first = model("sd1", 1, components=("vae", "text_encoder"))
    rule = {"components": {"vae": {"merge_method": "linear"}}}
    keys = changed(recipe(first, folder, **rule), recipe(first, other, **rule))
    assert len(keys) == 248
    assert all(key.startswith("vae.") for key in keys)


@pytest.mark.parametrize(
    ("more", "changes"),
    [
        ({"dtype": "float16"}, False),
        ({"dtype": "bfloat16"}, True),
        ({"seed": 9}, False),
        ({"parameters": {"normalize": False}}, True),
        ({"parameters": {"weight": 1.0}}, False),
        ({"parameters": {"weight": 2.0}}, True),
        ({"name": "called"}, False),
    ],
)
def test_what_counts(more: Data, changes: bool) -> None:
    keys = changed(recipe(words(1), words(2)), recipe(words(1), words(2), **more))
    assert len(keys) == (36 if changes else 0)


def test_the_seed_counts_where_chance_does() -> None:
    def data(seed: int) -> Data:
        return recipe(words(1), method="dare_linear", base_model=str(words(0)), seed=seed)

    assert len(changed(data(1), data(2))) == 36
    assert not changed(data(1), data(1))


def test_aliases_count_where_they_address_masks() -> None:
    def data(method: str, alias: str) -> Data:
        found = recipe(words(1), method=method, base_model=str(words(0)))
        found["models"][0]["name"] = alias
        return found

    assert not changed(data("ties", "a"), data("ties", "b"))
    assert changed(data("dare_linear", "a"), data("dare_linear", "b"))


def test_order_counts_where_it_should() -> None:
    one, two = recipe(words(1), words(2)), recipe(words(1), words(2))
    two["models"].reverse()
    assert not changed(one, two)
    ordered = [recipe(words(1), words(2), method="slerp") for _ in range(2)]
    ordered[1]["models"].reverse()
    assert changed(*ordered)


def test_a_stage_counts_as_what_it_does() -> None:
    stage = {**recipe(words(1), words(2)), "name": "s"}
    one = planned([stage, recipe("s", words(0))]).keys
    two = planned([{**stage, "name": "t"}, recipe("t", words(0))]).keys
    assert one == two
    other = {**stage, "parameters": {"normalize": False}}
    assert planned([other, recipe("s", words(0))]).keys != one


def test_files_are_hashed_once_and_remembered(tmp_path: Path) -> None:
    path = copy(words(1), tmp_path / "a.safetensors")
    os.utime(path, (1, 1))
    cache = tmp_path / "cache.json"
    data = recipe_from_data(recipe(path), "test")
    before = plan(data, cache=cache).id
    assert str(path) in cache.read_text()
    # a cache that is believed: the size and the time stay, the bytes do not
    overwrite(path, "cond_stage_model.transformer.text_model.final_layer_norm.weight", 3.0)
    os.utime(path, (1, 1))
    assert plan(data, cache=cache).id == before
    assert plan(data).id != before
