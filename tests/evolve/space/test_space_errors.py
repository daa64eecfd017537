"""What is no space, and what is no candidate of one: said in words, with the line."""

from __future__ import annotations

import pytest

from evolve.space.worlds import read, refused, space, two
from sdmerge.errors import InputError
from sdmerge.evolve.space import Space

BLOCK = "{search: [0, 1.5], init: 0.5, per: block}"


def test_a_recipe_without_marks_gets_an_example() -> None:
    error = refused(two())
    assert (error.what, error.where) == ("the recipe has nothing to search", "r.yaml")
    assert "{search: [0.0, 1.5], init: 0.7, per: block}" in error.hint


@pytest.mark.parametrize(
    ("ja", "uk", "line", "said"),
    [
        ("{search: [0, 1], tie: x}", "{search: [0, 2], tie: x}", 5, "marks tied as 'x' differ"),
        ("{search: [0, 1], simplex: x}", "0.5", 4, "'x' has one share alone"),
        ("[{filter: vae, value: {search: [0, 1]}}, {value: 1}]", "1", 4, "taken whole"),
        (
            "{search: [0, 1], tie: 'models[uk].parameters.weight'}",
            "{search: [0, 1]}",
            5,
            "two genes are called 'models[uk].parameters.weight'",
        ),
    ],
)
def test_marks_that_do_not_go_together(ja: str, uk: str, line: int, said: str) -> None:
    error = refused(two(ja, uk))
    assert said in str(error)
    assert error.where == f"r.yaml:{line}"


def test_a_mark_that_changes_nothing() -> None:
    error = refused(
        read("""
            merge_method: task_arithmetic
            base_model: samples/models/base
            models:
              - {model: samples/models/japanese}
              - model: samples/loras/pop.safetensors
                parameters:
                  weight: [{filter: conv, value: {search: [0, 1]}}, {value: 1}]
        """)
    )
    assert error.what == "models[pop].parameters.weight/conv changes no tensor"
    assert error.where == "r.yaml:7"


def test_every_choice_is_tried_before_a_search() -> None:
    error = refused(two(more="components: {text_encoder: {take: {search: [base, nowhere]}}}"))
    assert "there is no model 'nowhere'" in str(error)
    assert error.where == "r.yaml:6"


@pytest.fixture(scope="module")
def found() -> Space:
    return space(two(BLOCK, "{search: [0, 1]}"))


JA, UK = "models[ja].parameters.weight", "models[uk].parameters.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({UK: 1.5}, f"{UK} = 1.5 is outside the search 0..1"),
        ({UK: "much"}, f"{UK} = 'much' is no number"),
        ({UK: float("nan")}, "is outside the search"),
        ({f"{JA}/IN99": 0.5}, f"there is no gene '{JA}/IN99'"),
    ],
)
def test_what_is_no_candidate(found: Space, change: dict[str, float], said: str) -> None:
    with pytest.raises(InputError) as raised:
        found.fill({**found.init, **change})
    assert said in str(raised.value)


def test_a_candidate_is_complete(found: Space) -> None:
    with pytest.raises(InputError, match="says nothing of"):
        found.fill({UK: 0.5})


@pytest.mark.parametrize(
    ("ja", "uk", "more", "said"),
    [
        ("0.5", "2", "", f"r.yaml:5: {UK} = 2.0 is outside the search 0..1"),
        ("[0, 1]", "1", "", f"r.yaml:4: {JA} should be values per block"),
        ("{per: type, values: {attn: 1}}", "1", "", f"{JA} should be values per block"),
        ("{per: block, values: {IN04: 1}}", "1", "", f"{JA} leaves out BASE"),
        ("0.5", "{per: block, values: {IN04: 1}}", "", f"{UK} should be one value"),
        (
            "[{filter: attn, value: 1}]",
            "1",
            "",
            "says nothing of models[ja].parameters.weight/attn",
        ),
        ("1", "1", "parameters: {lambda: 0.5}", "says nothing of parameters.lambda"),
    ],
)
def test_a_recipe_of_another_shape(found: Space, ja: str, uk: str, more: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        found.candidate_of(two(ja, uk, more))
    assert said in str(raised.value)


def test_a_recipe_of_another_method_is_no_candidate(found: Space) -> None:
    other = read("""
        merge_method: linear
        models:
          - {model: samples/models/japanese, name: ja, parameters: {weight: 1}}
          - {model: samples/models/ukiyoe, name: uk, parameters: {weight: 1}}
    """)
    with pytest.raises(InputError, match="merge_method is not as in the searched recipe"):
        found.candidate_of(other)


def test_one_number_stands_for_all_groups(found: Space) -> None:
    candidate = found.candidate_of(two("1.25", "0.25"))
    assert set(candidate) == {gene.name for gene in found.genes}
    assert {value for name, value in candidate.items() if name != UK} == {1.25}
    assert found.candidate_of(found.recipe) == found.init
