"""Recipes that are refused, with the line and the right word."""

from __future__ import annotations

import pytest

from recipe.samples import TWO, complaint, says, stage
from sdmerge.manifest import manifest


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("modules: {}", 4, ["'modules' is not used here", "under 'components'"]),
        ("tokenizer: {source: union}", 4, ["'tokenizer' is not used here", "take"]),
        ("merge_metod: slerp", 4, ["no key 'merge_metod'", "'merge_method'?"]),
        ("merge_method: [ties]", 4, ["merge_method should be a text, not a list"]),
        ("merge_method: tyes", 4, ["no merge method 'tyes'", "'ties'?"]),
        ("parameters: 0.5", 4, ["parameters should be a mapping, not 0.5"]),
        (
            "parameters: {t: 0.5}",
            4,
            ["linear has no parameter 't'", "It takes: weight, normalize."],
        ),
        ("parameters: {int8_mask: 1, tokenizer_source: x}", 4, ["no parameter 'tokenizer_source'"]),
        ("seed: 1.5", 4, ["seed should be a whole number, not 1.5"]),
        ("dtype: 16", 4, ["dtype should be a text, not 16"]),
        ("base_model: ''", 4, ["base_model should be a text"]),
        ("apply: x.safetensors", 4, ["apply should be a list"]),
        ("grid: 3", 4, ["grid should be a mapping"]),
        ("output: {layout: single_file}", 4, ["no layout 'single_file'", "'single-file'?"]),
        ("output: {layer: lora}", 4, ["output has no key 'layer'"]),
        ("output: {rounding: stochastik}", 4, ["no rounding 'stochastik'", "'stochastic'?"]),
        ("output: {rounding: true}", 4, ["rounding should be a text"]),
        ("output: {rank: 8}", 4, ["belong to 'layout: lora'"]),
        ("output: {layout: lora, conv_rnk: 8}", 4, ["no key 'conv_rnk'", "'conv_rank'?"]),
        ("output: {layout: lora, rank: 0}", 4, ["rank = 0 is outside 1..4096"]),
        ("output: {layout: lora, energy: 7}", 4, ["energy = 7 is outside 0..1"]),
        ("slices: []", 1, ["either models or slices"]),
        ("components: {unet: {}}", 4, ["components.unet says nothing"]),
        ("components: {unet: {tak: b}}", 4, ["no key 'tak'", "'take'?"]),
        ("components: {unet: {take: b, merge_method: slerp}}", 4, ["either taken whole or merged"]),
        ("components: {unet: {merge_method: slerp, parameters: {t: 2}}}", 4, ["t = 2 is outside"]),
    ],
)
def test_complaints_name_the_line_and_the_right_word(text: str, line: int, said: list[str]) -> None:
    head = "" if text.startswith("merge_method:") else "merge_method: linear\n"
    body = f"models:\n  - model: a\n  - model: b\n{text}\n"
    lines = body + head
    says(complaint(lines), line, *said)


@pytest.mark.parametrize(
    ("model", "line", "said"),
    [
        ("a.safetensors", 3, "a model should be a mapping, not 'a.safetensors'"),
        ("{name: a}", 3, "a model needs 'model: PATH'"),
        ("{model: a, weight: 0.5}", 3, "a model has no key 'weight'"),
        ("{model: 5}", 3, "model should be a text, not 5"),
        ("{model: a, name: base}", 3, "the name 'base' is the word for base_model"),
        ("{model: a, name: yes}", 3, "name should be a text, not True"),
        ("{model: a, parameters: {wieght: 1}}", 3, "Did you mean 'weight'?"),
        ("{model: a, parameters: {normalize: true}}", 3, "one value for the whole merge"),
    ],
)
def test_complaints_about_a_model(model: str, line: int, said: str) -> None:
    says(complaint(f"merge_method: linear\nmodels:\n  - {model}\n  - model: b"), line, said)


def test_a_key_is_blamed_on_its_own_line_even_if_its_value_begins_on_the_next() -> None:
    error = complaint("""
        merge_method: linear
        modles:
          - model: a
    """)
    says(error, 2, "no key 'modles'", "Did you mean 'models'?")


def test_two_models_of_one_given_name() -> None:
    error = complaint("""
        merge_method: linear
        models:
          - {model: a, name: x}
          - {model: b, name: x}
    """)
    says(error, 3, "the name 'x' is given to two models")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            "- sources: [{model: a, layer_range: [0, 8]}]\n- sources: []",
            2,
            "2 slices re-order layers",
        ),
        ("- {}", 3, "a slice needs 'sources'"),
        ("- sources: [{layer_range: [0, 8]}]", 3, "a model needs 'model: PATH'"),
        ("- sources: [{model: a, layer_range: [4, 8]}]", 3, "layer_range [4, 8] is not the full"),
        ("- sources: [{model: a, layer_range: [0]}]", 3, "layer_range [0] is not the full range"),
        ("- sources: [{model: a, layer_range: [0, 8.5]}]", 3, "should be a whole number"),
        ("- {sources: [{model: a}], merge_method: slerp}", 3, "a slice has no key 'merge_method'"),
    ],
)
def test_slices_that_reorder_layers_are_refused(text: str, line: int, said: str) -> None:
    says(complaint(f"merge_method: linear\nslices:\n{text}"), line, said)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", "r.yaml", "the recipe is empty"),
        ("# nothing yet", "r.yaml", "the recipe is empty"),
        ("- a\n- b", 1, "a recipe should be a mapping, not a list"),
        ("models: [{model: a}]", 1, "the recipe names no merge_method"),
        ("merge_method: linear", 1, "either models or slices"),
        ("merge_method: linear\nmodels: []", 1, "the recipe has no models"),
        ("merge_method: linear\nmodels: [", 2, "this is not YAML"),
        ("merge_method: linear\nseed: 1\nseed: 2", 3, "'seed' is given twice"),
        ("a: \x00", "r.yaml", "this is not YAML"),
        ("a: !!python/object:os.system {}\nb: !what x", 2, "this is not YAML"),
        ("[" * 950, "r.yaml", "nested too deep"),
        ("&a [*a]", "r.yaml", "nested too deep, or in itself"),
    ],
)
def test_texts_that_are_no_recipe(text: str, line: int | str, said: str) -> None:
    says(complaint(text), line, said)


def test_aliases_cannot_multiply_without_end() -> None:
    """A few lines that stand for 10^9 values; a model file's metadata may hold such a recipe."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    says(complaint("\n".join(lines)), "r.yaml", "more than 20,000 values")


@pytest.mark.parametrize(
    ("first", "second", "line", "said"),
    [
        ("seed: 1", "", 4, "'seed' belongs to the last stage"),
        ("output: {layout: lora}", "", 4, "'output' belongs to the last stage"),
        ("dtype: float16", "", 4, "'dtype' belongs to the last stage"),
        ("", "name: one", 1, "two stages are called 'one'"),
    ],
)
def test_complaints_about_stages(first: str, second: str, line: int, said: str) -> None:
    body = "merge_method: linear\nmodels: [{model: a}]"
    says(complaint(f"name: one\n{body}\n{first}\n---\n{body}\n{second}"), line, said)


def test_a_stage_that_others_build_on_needs_a_name() -> None:
    body = "merge_method: linear\nmodels: [{model: a}]"
    says(complaint(f"{body}\n---\n{body}"), 1, "needs a name")


def test_every_method_can_be_named() -> None:
    for method in manifest():
        assert stage(f"merge_method: {method}\n{TWO.strip()}".replace("    ", "")).method == method
