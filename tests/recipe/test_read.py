"""Recipes as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe.samples import DESIGN, TIES, complaint, names, number, read, says, stage
from sdmerge.errors import RecipeError
from sdmerge.recipe import (
    ComponentRule,
    Gradient,
    Output,
    Rule,
    Search,
    load_recipe,
    recipe_from_data,
)


def test_the_designs_own_example() -> None:
    recipe = read(DESIGN)
    (only,) = recipe.stages
    assert (only.method, only.base) == ("ties", "samples/models/base")
    assert names(only.models) == ["ja", "ukiyoe"]
    assert number(only.models[0], "density") == 0.5
    assert only.models[1].parameters["weight"] == (
        Rule(0.0, "text_encoder"),
        Rule(Gradient((0.2, 0.9)), "in04-out03"),
        Rule(0.9, "attn"),
        Rule(Search(0.0, 1.5, 0.5, "block")),
    )
    assert only.parameters == {"normalize": (Rule(True),), "lambda": (Rule(1.0),)}
    assert only.components == {
        "text_encoder": ComponentRule(take="ja"),
        "tokenizer": ComponentRule(take="ja"),
        "text_encoder_2": ComponentRule(method="linear", parameters={"weight": (Rule(0.5),)}),
    }
    assert recipe.output == Output("diffusers", "float16")
    assert recipe.grid["seeds"] == 2
    assert recipe.evolve["fitness"] == [
        {"scorer": "clip", "model": "samples/scorers/clip_a", "weight": 1.0}
    ]
    assert recipe.notes == ()


def test_a_mergekit_soup() -> None:
    only = stage("""
        models:
          - model: org/orca_13b
            parameters: {weight: 1.0}
          - model: org/wizard-v1.2
            parameters: {weight: 0.3}
          - model: org/platypus
            parameters: {weight: 0.5}
        merge_method: linear
        dtype: float16
    """)
    assert names(only.models) == ["orca_13b", "wizard-v1.2", "platypus"]
    assert [number(ref, "weight") for ref in only.models] == [1.0, 0.3, 0.5]


def test_a_mergekit_slerp_with_slices_and_gradients() -> None:
    only = stage("""
        slices:
          - sources:
              - model: org/orca_13b
                layer_range: [0, 40]
              - model: org/platypus_13b
                layer_range: [0, 40]
        merge_method: slerp
        base_model: org/orca_13b
        parameters:
          t:
            - filter: self_attn
              value: [0, 0.5, 0.3, 0.7, 1]
            - filter: mlp
              value: [1, 0.5, 0.7, 0.3, 0]
            - value: 0.5 # the rest
        dtype: float16
    """)
    assert only.layer_ranges == (("org/orca_13b", 0, 40), ("org/platypus_13b", 0, 40))
    assert only.parameters["t"] == (
        Rule(Gradient((0.0, 0.5, 0.3, 0.7, 1.0)), "self_attn"),
        Rule(Gradient((1.0, 0.5, 0.7, 0.3, 0.0)), "mlp"),
        Rule(0.5),
    )


def test_a_mergekit_ties_with_int8_mask() -> None:
    recipe = read("""
        models:
          - model: org/orca
            parameters:
              density: [1, 0.7, 0.1] # a gradient
              weight: 1.0
          - model: org/wizard
            parameters:
              density: 0.33
              weight:
                - filter: mlp
                  value: 0.5
                - value: 0
        merge_method: ties
        base_model: org/llama
        parameters:
          normalize: true
          int8_mask: true
        tokenizer_source: union
        chat_template: auto
        dtype: float16
    """)
    orca, wizard = recipe.stages[0].models
    assert orca.parameters["density"] == (Rule(Gradient((1.0, 0.7, 0.1))),)
    assert wizard.parameters["weight"] == (Rule(0.5, "mlp"), Rule(0.0))
    assert recipe.stages[0].parameters == {"normalize": (Rule(True),)}
    assert [note.split(": ", 1) for note in recipe.notes] == [
        ["r.yaml:18", "tokenizer_source is ignored: tokenizers are taken whole"],
        ["r.yaml:19", "chat_template is ignored: pictures have none"],
        ["r.yaml:17", "int8_mask is ignored: masks are exact here"],
    ]


@pytest.mark.parametrize(
    ("paths", "aliases"),
    [
        (["a/ja.safetensors", "b/ja.ckpt", "c/ja"], ["ja", "ja#2", "ja#3"]),
        (["org/model-v1.5", "C:\\models\\x.pt", "y.bin/"], ["model-v1.5", "x", "y"]),
        (["ja=", "x/ja.safetensors"], ["ja", "ja#2"]),
        (["x/ja.safetensors", "ja="], ["ja#2", "ja"]),
        (["x/ja#2.safetensors", "a/ja", "b/ja"], ["ja#2", "ja", "ja#3"]),
    ],
)
def test_aliases_are_stems_and_unique(paths: list[str], aliases: list[str]) -> None:
    """`name=` stands for a model that is given this name."""
    models = [
        {"model": "other", "name": path[:-1]} if path.endswith("=") else {"model": path}
        for path in paths
    ]
    recipe = recipe_from_data({"merge_method": "linear", "models": models})
    assert names(recipe.stages[0].models) == aliases


def test_anchors_and_merge_keys_work() -> None:
    only = stage("""
        merge_method: ties
        base_model: base
        models:
          - model: a
            parameters: &usual {weight: 0.5, density: 0.3}
          - model: b
            parameters: {<<: *usual, weight: 0.7}
          - model: c
            parameters: {<<: [{weight: 1.0}, *usual]}
    """)
    found = [(number(ref, "weight"), number(ref, "density")) for ref in only.models]
    assert found == [(0.5, 0.3), (0.7, 0.3), (1.0, 0.3)]


@pytest.mark.parametrize(("text", "number"), [("1e-3", 0.001), ("2E0", 2.0), ("+.5e+0", 0.5)])
def test_numbers_with_exponents_are_numbers(text: str, number: float) -> None:
    (rule,) = stage(f"{TIES}\n    parameters: {{lambda: {text}}}").parameters["lambda"]
    assert rule.value == number


def test_stages() -> None:
    recipe = read("""
        name: first
        merge_method: slerp
        models: [{model: a}, {model: b}]
        ---
        name: second
        merge_method: linear
        models: [{model: first}, {model: c}]
        seed: 4
        dtype: float32
        out_dtype: bf16
    """)
    assert [(one.name, one.method) for one in recipe.stages] == [
        ("first", "slerp"),
        ("second", "linear"),
    ]
    assert (recipe.seed, recipe.output.dtype) == (4, "bf16")


def test_the_folder_of_a_file_is_where_its_paths_begin(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("merge_method: linear\nmodels: [{model: 日本.safetensors}]", "utf-8")
    recipe = load_recipe(file, ["seed=3"])
    assert (recipe.folder, recipe.seed) == (tmp_path, 3)
    assert names(recipe.stages[0].models) == ["日本"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there is no such file"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    for path in (tmp_path, tmp_path / "binary.yaml"):
        with pytest.raises(RecipeError, match="this is not a text file"):
            load_recipe(path)


def test_data_read_like_text() -> None:
    data = {"merge_method": "ties", "base_model": "base", "models": [{"model": "a"}]}
    assert recipe_from_data(data) == recipe_from_data([data])
    with pytest.raises(RecipeError, match=r"^recipe: a recipe has no key 'sed'"):
        recipe_from_data({**data, "sed": 1})


MARKED = """
    merge_method: {search: [ties, dare_ties]}
    base_model: base
    models:
      - model: a
        parameters: {weight: {search: [0, 1], per: block}}
      - model: b
    components:
      text_encoder: {take: {search: [base, a], tie: words}}
      tokenizer: {take: {search: [base, a], tie: words}}
    apply: [{model: lora, weight: {search: [0, 1.5]}}]
"""


def test_what_is_no_parameter_may_be_searched_too() -> None:
    only = stage(MARKED)
    assert (only.method, only.components["tokenizer"].take) == ("ties", "base")
    assert only.mark == Search(0.0, 0.0, "ties", choices=("ties", "dare_ties"))
    words = Search(0.0, 0.0, "base", tie="words", choices=("base", "a"))
    assert only.components["text_encoder"].mark == only.components["tokenizer"].mark == words
    assert (only.apply[0].weight, only.apply[0].mark) == (0.75, Search(0.0, 1.5, 0.75))


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("dare_ties", "dare_tie", 1, "Did you mean 'dare_ties'?"),
        ("[ties, dare_ties]", "[ties]", 1, "two choices or more"),
        ("[ties, dare_ties]}", "[ties, dare_ties], per: block}", 1, "one value for the whole"),
        ("[ties, dare_ties]", "[dare_ties, slerp]", 5, "slerp has no parameter 'weight'"),
        ("per: block", "per: model", 5, "this is one model's value"),
        ("base, a], tie: words}}\n      tok", "base, 1]}}\n      tok", 8, "take should be a text"),
        ("[0, 1.5]}", "[0, 9]}", 10, "weight = 9 is outside"),
        ("[0, 1.5]}", "[0, 1], per: block}", 10, "weight is one value here"),
    ],
)
def test_marks_that_do_not_fit_say_where(old: str, new: str, line: int, said: str) -> None:
    assert old in MARKED
    error = complaint(MARKED.replace(old, new, 1))
    assert said in str(error)
    assert error.where == f"r.yaml:{line}", str(error)


def test_a_component_says_how_it_is_merged_where_the_method_is_searched() -> None:
    error = complaint("""
        merge_method: {search: [ties, dare_ties]}
        base_model: base
        models: [{model: a}]
        components:
          unet: {parameters: {weight: 1}}
    """)
    says(error, 5, "merge_method is searched; this needs its own", "merge_method: ties")


def test_settings_of_a_search_remember_their_lines() -> None:
    recipe = read(DESIGN)
    assert recipe.lines["evolve.fitness[0].scorer"] == "r.yaml:25"
    assert recipe.lines["evolve.sampler.steps"] == "r.yaml:27"
