"""Recipes as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipe.samples import DESIGN, TIES, TWO, complaint, names, number, read, says, stage
from sdmerge.errors import RecipeError
from sdmerge.manifest import manifest
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
