"""--set and axes: addresses of a recipe's values."""

from __future__ import annotations

import pytest

from recipe.samples import complaint, number, read, says, stage
from sdmerge.recipe import ComponentRule, Gradient, Rule

RECIPE = """
    merge_method: ties
    base_model: base
    models:
      - {model: a/japanese.safetensors, name: ja}
      - {model: b/ukiyoe.safetensors, parameters: {weight: 0.1}}
      - {model: c/ukiyoe.safetensors}
"""
STAGES = """
    name: first
    merge_method: slerp
    models: [{model: a}, {model: b}]
    ---
    name: v2
    merge_method: linear
    models: [{model: first}, {model: c}]
"""


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("models[0]", 0), ("models[ja]", 0), ("models[1]", 1), ("models[ukiyoe]", 1),
        ("models[ukiyoe#2]", 2),
    ],
)  # fmt: skip
def test_models_by_number_and_by_alias(address: str, place: int) -> None:
    models = stage(RECIPE, f"{address}.parameters.weight=0.75").models
    assert number(models[place], "weight") == 0.75
    assert [place for place, ref in enumerate(models) if ref.parameters] == sorted({1, place})


def test_values_are_yaml() -> None:
    only = stage(RECIPE, "parameters.weight=[0, 1]", "parameters.density={filter: unet, value: 1}")
    assert only.parameters["weight"] == (Rule(Gradient((0.0, 1.0))),)
    assert only.parameters["density"] == (Rule(1.0, "unet"),)


def test_a_bare_name_is_a_parameter() -> None:
    assert stage(RECIPE, "lambda=0.5") == stage(RECIPE, "parameters.lambda=0.5")


def test_the_last_setting_wins() -> None:
    (rule,) = stage(RECIPE, "lambda=0.5", "lambda=0.25").parameters["lambda"]
    assert rule == Rule(0.25)


def test_whole_recipe_values() -> None:
    recipe = read(RECIPE, "seed=7", "dtype=bfloat16", "output.layout=single-file")
    assert (recipe.seed, recipe.output.dtype, recipe.output.layout) == (
        7,
        "bfloat16",
        "single-file",
    )
    assert stage(RECIPE, "merge_method=dare_ties").method == "dare_ties"
    assert stage(RECIPE, "base_model=other").base == "other"
    assert stage(RECIPE, "models[ja].model=other").models[0].path == "other"
    rule = stage(RECIPE, "components.text_encoder.take=ja").components["text_encoder"]
    assert rule == ComponentRule(take="ja")


def test_stages_are_addressed_by_name_and_the_last_without() -> None:
    first, last = read(STAGES, "first.parameters.t=0.25", "parameters.weight=0.5").stages
    assert first.parameters["t"] == (Rule(0.25),)
    assert last.parameters["weight"] == (Rule(0.5),)
    first, last = read(STAGES, "first.t=0.25", "v2.models[c].parameters.weight=2").stages
    assert first.parameters["t"] == (Rule(0.25),)
    assert number(last.models[1], "weight") == 2.0


def test_a_rule_can_be_addressed() -> None:
    settings = ["weight=[{filter: unet, value: 0}, {value: 1}]", "parameters.weight[1].value=0.5"]
    assert stage(RECIPE, *settings).parameters["weight"] == (Rule(0.0, "unet"), Rule(0.5))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("parameters.t", ["a setting is PATH=VALUE", "parameters.t=0.3"]),
        ("=3", ["a setting is PATH=VALUE"]),
        ("paramters.t=0.3", ["there is no 'paramters'", "Did you mean 'parameters'?"]),
        (
            "models[7].parameters.weight=1",
            ["models[7] is not in this recipe", "0 to 2: ja, ukiyoe"],
        ),
        ("models[j].parameters.weight=1", ["models[j] is not in this recipe", "'ja'?"]),
        ("models.0=1", ["models should be a list"]),
        ("seeds[0]=1", ["no list 'seeds'"]),
        ("a..b=1", ["'a..b' is not a path"]),
        ("parameters.weight=9", ["weight = 9 is outside -4..4"]),
        ("parameters.wait=1", ["ties has no parameter 'wait'"]),
        ("merge_method=slepr", ["there is no merge method 'slepr'"]),
        ("seed=", ["seed should be a whole number, not nothing"]),
        ("seed=[", ["this is not YAML"]),
    ],
)
def test_wrong_addresses(setting: str, said: list[str]) -> None:
    error = complaint(RECIPE, setting)
    assert error.where.startswith(f"--set {setting}") or error.where.startswith("r.yaml")
    for part in said:
        assert part in str(error)


def test_complaints_about_a_setting_name_it_and_not_a_line() -> None:
    says(complaint(RECIPE, "parameters.weight=9"), "--set parameters.weight=9", "weight = 9")
