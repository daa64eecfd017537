"""Round trips: what is written reads back equal, and the id is that of the meaning."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe.samples import DESIGN, TIES, read
from sdmerge.manifest import MethodSpec, manifest
from sdmerge.params import Param, Range
from sdmerge.recipe import (
    Grouped,
    Recipe,
    parse_recipe,
    recipe_from_data,
    recipe_id,
    to_data,
    to_yaml,
)
from sdmerge.recipe.presets import PRESETS

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
tricky = st.sampled_from(
    ["yes", "1e3", "0x10", "null", "~", "- a", "a: b", "日本", "1:30", "#x", " "]
)
paths = words | tricky
UNIT = Range(0.0, 1.0)
filters = st.sampled_from(["unet", "in04-out03", "attn", "*.weight", "re:^a", "null", "7"])


def numbers(param: Param) -> st.SearchStrategy[float]:
    low, high = param.range.allowed if param.range else (0.0, 1.0)
    return st.floats(low, high)


def scalar(param: Param) -> st.SearchStrategy[Any]:
    if param.kind == "bool":
        return st.booleans()
    if param.kind == "choice":
        return st.sampled_from(param.choices)
    if param.kind == "int":
        return st.integers(*map(int, param.range.allowed if param.range else (0, 9)))
    return numbers(param)


def grouped(param: Param) -> st.SearchStrategy[Any]:
    """Values per group: labels are words that look like something else to YAML, too."""
    labels = st.dictionaries(words | tricky, scalar(param), min_size=1, max_size=4)
    per = st.sampled_from(["block", "layer", "component", "type"])
    return st.tuples(per, labels).map(lambda both: {"per": both[0], "values": both[1]})


def searched(param: Param) -> st.SearchStrategy[Any]:
    """A search with any options that fit together."""
    options: dict[str, st.SearchStrategy[Any]] = {
        "per": st.sampled_from(["block", "layer", "component", "type"]),
        "tie": st.sampled_from(["one", "1", "yes"]),
    }
    if param.kind in ("bool", "choice"):
        choices = [False, True] if param.kind == "bool" else list(param.choices)
        chosen = st.permutations(choices).map(lambda words: {"search": words, "init": words[-1]})
    else:
        three = st.lists(scalar(param), min_size=3, max_size=3, unique=True).map(sorted)
        chosen = three.map(lambda ends: {"search": [ends[0], ends[2]], "init": ends[1]})
        low, high = param.range.allowed if param.range else (0.0, 1.0)
        if low >= 0 and param.kind == "float" and high > 0:
            options["simplex"] = st.just("mix")
    extra = st.fixed_dictionaries({}, optional=options)
    return st.tuples(chosen, extra).map(lambda both: both[0] | both[1])


def plain(param: Param) -> st.SearchStrategy[Any]:
    if param.kind in ("bool", "int") or len(param.choices) > 1:
        return st.one_of(scalar(param), grouped(param), searched(param))
    if param.kind == "choice":
        return scalar(param)
    if param.kind == "lines":
        return st.just(["a red star", "青い丸"])
    if param.kind == "pictures":
        return st.just("pictures/赤い星")
    if param.kind == "text":
        return st.just("python:module:function")
    number = numbers(param)
    row = st.lists(number, min_size=2, max_size=4)
    presets = st.sampled_from(list(PRESETS)).map(lambda name: {"preset": name})
    names = st.sampled_from([{"lbw": "ALL0.5"}, {"lbw": "OUTALL", "strength": 0.5}])
    return st.one_of(
        number,
        row,
        row.map(lambda given: {"mbw": given}),
        row.map(lambda given: {"lbw": given}),
        searched(param),
        grouped(param),
        *([presets, names] if param.range is None or param.range.allowed[0] <= 0.0 else []),
    )


def settings_of(param: Param) -> st.SearchStrategy[Any]:
    ruled = st.lists(
        st.fixed_dictionaries({"filter": filters, "value": plain(param)}), min_size=1, max_size=2
    )
    last = plain(param).map(lambda value: {"value": value})
    return plain(param) | st.tuples(ruled, last).map(lambda both: [*both[0], both[1]])


def parameters(spec: MethodSpec, *, per_model: bool) -> st.SearchStrategy[dict[str, Any]]:
    chosen = {p.name: settings_of(p) for p in spec.params if p.per_model or not per_model}
    return st.fixed_dictionaries({}, optional=chosen)


applied = st.fixed_dictionaries(
    {"model": paths, "weight": st.floats(-4, 4) | searched(Param("", "float", 1.0, "", UNIT))}
).map(lambda one: one if isinstance(one["weight"], float) else one | {"weight": whole(one)})


def whole(one: dict[str, Any]) -> dict[str, Any]:
    """An applied LoRA has one strength."""
    return {name: value for name, value in one["weight"].items() if name != "per"}


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    spec = draw(st.sampled_from(list(manifest().values())))
    named = draw(st.lists(words | tricky, min_size=1, max_size=3, unique=True))
    models: list[dict[str, Any]] = []
    for name in named:
        model: dict[str, Any] = {"model": draw(paths)}
        if draw(st.booleans()) and name != "base":
            model["name"] = name
        if draw(st.booleans()):
            model["parameters"] = draw(parameters(spec, per_model=True))
        models.append(model)
    optional: dict[str, st.SearchStrategy[Any]] = {
        "base_model": paths,
        "parameters": parameters(spec, per_model=False),
        "components": st.just(
            {
                "vae": {"take": "x"},
                "unet": {"merge_method": {"search": ["linear", "slerp"], "init": "slerp"}},
                "text_encoder": {"take": {"search": ["base", "x"], "tie": "words"}},
            }
        ),
        "output": st.sampled_from(
            [
                {"layout": "diffusers"},
                {"layout": "lora", "rank": 8},
                {"rounding": "stochastic"},
                {"layout": "single-file", "rounding": "stochastic"},
            ]
        ),
        "dtype": st.just("bfloat16"),
        "seed": st.integers(-5, 2**40),
        "apply": st.lists(paths | applied, max_size=2),
        "grid": st.just({"x": "t=0:1:0.5", "seeds": 2}),
        "evolve": st.just({"trials": 20, "fitness": [{"scorer": "clip"}]}),
    }
    rest = draw(st.fixed_dictionaries({}, optional=optional))
    return recipe_from_data({"merge_method": spec.name, "models": models, **rest})


@given(recipes())
def test_yaml_reads_back_equal(recipe: Recipe) -> None:
    again = parse_recipe(to_yaml(recipe))
    assert again == recipe
    assert recipe_id(again) == recipe_id(recipe)
    assert to_yaml(again) == to_yaml(recipe)


@given(recipes())
def test_data_read_back_equal(recipe: Recipe) -> None:
    assert recipe_from_data(to_data(recipe)) == recipe


def test_stages_and_slices_read_back_equal() -> None:
    recipe = read("""
        name: first
        merge_method: slerp
        base_model: a
        slices: [{sources: [{model: a, layer_range: [0, 8], parameters: {}}, {model: b}]}]
        ---
        merge_method: linear
        models: [{model: first}, {model: c}]
    """)
    assert parse_recipe(to_yaml(recipe)) == recipe
    assert to_data(recipe)[0]["slices"] == [
        {"sources": [{"model": "a", "layer_range": [0, 8]}, {"model": "b"}]}
    ]


def id_of(text: str) -> str:
    return recipe_id(read(text))


def test_ids_are_32_hex_digits_and_never_change() -> None:
    """They stand in files and name folders; another id for the same words would orphan both."""
    assert id_of(TIES) == "76dd0b58b61a85a0c51dbd2ef946a949"


def test_ids_ignore_comments_order_and_spelling() -> None:
    one = """
        merge_method: ties
        base_model: base
        seed: 3
        models:
          - {model: a, parameters: {weight: 1, density: 0.5}}
        parameters: {lambda: 1.0, density: {mbw: '0,1'}, normalize: 1}
        output: {layout: diffusers}
    """
    other = """
        # the same in other words
        parameters:
          normalize: true
          density: [{filter: '*', value: {mbw: [0.0, 1]}}]
          lambda: 1
        output:
          layout: diffusers
        models:
          - parameters:
              density: 5.0e-1   # half
              weight: 1.0
            model: a
        seed: 3
        base_model: base
        merge_method: ties
    """
    assert id_of(one) == id_of(other)


def test_ids_ignore_what_does_not_change_the_file() -> None:
    recipe = read(DESIGN)
    for other in (
        replace(recipe, grid={}),
        replace(recipe, evolve={}),
        replace(recipe, notes=("said",), where="elsewhere"),
    ):
        assert recipe_id(other) == recipe_id(recipe)


@pytest.mark.parametrize(
    "other",
    [
        TIES.replace("ties", "dare_ties"),
        TIES.replace("base_model: base", "base_model: other"),
        TIES.replace("b.safetensors", "c.safetensors"),
        TIES + "\n    seed: 1",
        TIES + "\n    dtype: float16",
        TIES + "\n    output: {layout: diffusers}",
        TIES + "\n    parameters: {density: 0.3}",
        TIES + "\n    parameters: {density: [0.3, 0.4]}",
        TIES + "\n    parameters: {density: {mbw: [0.3, 0.4]}}",
        TIES + "\n    parameters: {density: [{filter: attn, value: 0.3}]}",
        TIES + "\n    components: {vae: {take: a}}",
        TIES.replace("- model: a.safetensors", "- {model: a.safetensors, name: ja}"),
        TIES.replace("- model: a.safetensors\n      - model: b.safetensors",
                     "- model: b.safetensors\n      - model: a.safetensors"),
    ],
)  # fmt: skip
def test_ids_differ_where_the_meaning_does(other: str) -> None:
    assert other != TIES
    assert id_of(other) != id_of(TIES)


def test_yaml_is_written_as_people_write_it() -> None:
    text = to_yaml(
        read("""
        models: [{model: 日本.safetensors, parameters: {weight: 0.5}}]
        merge_method: linear
        seed: 2
    """)
    )
    assert text == textwrap.dedent("""\
        merge_method: linear
        models:
        - model: 日本.safetensors
          parameters: {weight: 0.5}
        seed: 2
    """)


@given(st.dictionaries(st.sampled_from(["IN00", "M00", "OUT11"]), st.floats(-4, 4), min_size=1))
def test_values_per_group_keep_every_bit(values: dict[str, float]) -> None:
    given = {"per": "block", "values": values}
    recipe = read(f"{TIES}\n    parameters: {{weight: {json.dumps(given)}}}")
    (rule,) = parse_recipe(to_yaml(recipe)).stages[0].parameters["weight"]
    assert isinstance(rule.value, Grouped)
    assert {label: float(value).hex() for label, value in rule.value.values.items()} == {
        label: value.hex() for label, value in values.items()
    }


def test_a_searched_method_is_written_with_its_marks() -> None:
    recipe = read("""
        merge_method: {search: [ties, dare_ties], init: dare_ties}
        base_model: base
        models: [{model: a}, {model: b}]
        parameters: {density: {search: [0.1, 0.9], per: model}}
        apply: [{model: l, weight: {search: [0, 1], init: 0.25}}]
    """)
    (only,) = recipe.stages
    assert (only.method, only.apply[0].weight) == ("dare_ties", 0.25)
    assert to_data(recipe)[0]["merge_method"] == {
        "search": ["ties", "dare_ties"],
        "init": "dare_ties",
    }
    assert parse_recipe(to_yaml(recipe)) == recipe
