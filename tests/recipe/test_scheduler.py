"""What a recipe sets in its result's scheduler."""

from __future__ import annotations

import pytest

from sdmerge.errors import RecipeError
from sdmerge.recipe import parse_recipe, recipe_id, to_yaml

TEXT = "merge_method: linear\nmodels: [{model: a}, {model: b}]\ncomponents: {scheduler: "


@pytest.mark.parametrize(
    ("said", "take", "config"),
    [
        ("{take: a}", "a", {}),
        ("{set: {timestep_spacing: trailing}}", None, {"timestep_spacing": "trailing"}),
        (
            "{take: a, set: {prediction_type: v_prediction, rescale_betas_zero_snr: true}}",
            "a",
            {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
        ),
    ],
)
def test_it_is_read_and_written(said: str, take: str | None, config: dict[str, object]) -> None:
    read = parse_recipe(f"{TEXT}{said}}}")
    rule = read.stages[0].components["scheduler"]
    assert (rule.take, dict(rule.config), rule.method) == (take, config, None)
    assert parse_recipe(to_yaml(read)) == read


def test_it_is_part_of_what_the_recipe_is() -> None:
    ids = {recipe_id(parse_recipe(f"{TEXT}{said}}}")) for said in
           ("{take: a}", "{take: a, set: {timestep_spacing: trailing}}",
            "{take: a, set: {timestep_spacing: linspace}}")}  # fmt: skip
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("said", "phrase"),
    [
        ("{set: {timestep_spacng: trailing}}", "Did you mean 'timestep_spacing'"),
        ("{set: {timestep_spacing: trialing}}", "Did you mean 'trailing'"),
        ("{set: {use_karras_sigmas: 3}}", "true or false"),
        ("{set: {}}", "says nothing"),
        ("{}", "says nothing"),
        ("{merge_method: linear}", "no key 'merge_method'"),
    ],
)
def test_what_it_is_not(said: str, phrase: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"{TEXT}{said}}}")
    assert phrase in str(caught.value)


def test_no_other_component_has_settings() -> None:
    text = TEXT.replace("scheduler", "vae")
    with pytest.raises(RecipeError, match="no key 'set'"):
        parse_recipe(f"{text}{{take: a, set: {{timestep_spacing: trailing}}}}}}")
