"""What a parameter may be: numbers, gradients, rows, presets, rules and searches."""

from __future__ import annotations

import pytest

from recipe.samples import TIES, complaint, says, stage, value
from sdmerge.errors import RecipeError
from sdmerge.params import Param, Range
from sdmerge.recipe import Gradient, Grouped, Lbw, Mbw, Preset, Rule, Search
from sdmerge.recipe.nodes import to_nodes
from sdmerge.recipe.values import read_value


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("0.5", 0.5),
        ("1", 1.0),
        ("[0, 1]", Gradient((0.0, 1.0))),
        ("[0, 0.5, 0.25]", Gradient((0.0, 0.5, 0.25))),
        ("{mbw: '0, 0.5,1'}", Mbw((0.0, 0.5, 1.0))),
        ("{mbw: [0, 0.5, 1]}", Mbw((0.0, 0.5, 1.0))),
        ("{lbw: '1,0, 0.5'}", Lbw((1.0, 0.0, 0.5))),
        ("{lbw: [1, 0], strength: 0.5}", Lbw((1.0, 0.0), 0.5)),
        ("{lbw: outall, strength: -1}", Lbw("OUTALL", -1.0)),
        ("{lbw: ALL0.5}", Lbw("ALL0.5")),
        ("{preset: grad_v}", Preset("GRAD_V")),
        ("{search: [0, 1.5]}", Search(0.0, 1.5, 0.75)),
        ("{search: [0.25, 4], log: true}", Search(0.25, 4.0, 1.0, log=True)),
        ("{search: [0, 1], init: 0.2, per: block}", Search(0.0, 1.0, 0.2, "block")),
        ("{search: [0, 1], tie: x, simplex: mix}", Search(0, 1, 0.5, tie="x", simplex="mix")),
        ("{per: block, values: {IN00: 0.3, M00: 1}}", Grouped("block", {"IN00": 0.3, "M00": 1.0})),
        ("{per: model, values: {a: 0, b: 1}}", Grouped("model", {"a": 0.0, "b": 1.0})),
        ("{value: 0.5}", 0.5),
        ("[{value: [0, 1]}]", Gradient((0.0, 1.0))),
        ("[{filter: '*', value: 2}]", 2.0),
    ],
)
def test_values(text: str, read: object) -> None:
    assert value(text) == read


def test_rules_keep_their_filters_and_their_order() -> None:
    only = stage(f"""{TIES}
    parameters:
      weight:
        - {{filter: unet, value: 0.1}}
        - filter: in00
          value: {{preset: COSINE}}
        - {{value: 0.3}}
      density: {{filter: re:attn\\d, value: 0.9}}
    """)
    assert only.parameters["weight"] == (
        Rule(0.1, "unet"), Rule(Preset("COSINE"), "in00"), Rule(0.3),
    )  # fmt: skip
    assert only.parameters["density"] == (Rule(0.9, r"re:attn\d"),)
    assert [rule.where for rule in only.parameters["weight"]] == [
        f"r.yaml:{line}" for line in (8, 9, 11)
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "weight = 5 is outside -4..4"),
        ("'0.5'", "weight = '0.5' should be a number"),
        ("", "weight = None should be a number"),
        (".nan", "weight = nan is outside"),
        ("2024-01-01", "should be a number"),
        ("[]", "two points or more"),
        ("[1]", "two points or more"),
        ("[0, 9]", "weight = 9 is outside"),
        ("[0, [1, 2]]", "should be a number"),
        ("{}", "is not a value of weight"),
        ("{serach: [0, 1]}", "Did you mean 'search'?"),
        ("{mbw: '0,x'}", "numbers with commas between"),
        ("{mbw: '0,9'}", "weight = 9.0 is outside"),
        ("{mbw: 5}", "mbw should be a list"),
        ("{mbw: '0,1', preset: GRAD_V}", "mbw has no key 'preset'"),
        ("{lbw: OUTAL}", "Did you mean 'OUTALL'? Known: NONE, ALL, ALL0.5, INS,"),
        ("{lbw: '1,R'}", "lbw should be numbers with commas between"),
        ("{lbw: [1, R]}", "a block weight should be a number, not 'R'"),
        ("{lbw: '1,2', strength: 3}", "weight = 6.0 is outside"),
        ("{lbw: ALL, strength: 5}", "weight = 5.0 is outside"),
        ("{lbw: ALL, strenght: 1}", "Did you mean 'strength'?"),
        ("{preset: GRAD}", "there is no preset 'GRAD'"),
        ("{preset: [a]}", "preset should be a text"),
        ("{search: [0]}", "[lowest, highest]"),
        ("{search: [1, 0]}", "search goes from 1 to 0"),
        ("{search: [0, 9]}", "weight = 9 is outside"),
        ("{search: [0, 1], init: 2}", "init = 2 is outside the search 0..1"),
        ("{search: [0, 1], log: true}", "needs bounds above 0"),
        ("{search: [1, 2], log: maybe}", "log should be true or false, not 'maybe'"),
        ("{search: [0, 1], per: tensor}", "One of: block, layer, component, type, model."),
        ("{search: [0, 1], per: blok}", "Did you mean 'block'?"),
        ("{search: [0, 1], ini: 0.5}", "Did you mean 'init'?"),
        ("{search: [0, 1], tie: a/b}", "tie is a name without slashes"),
        ("{search: [-1, 1], simplex: mix}", "shares are numbers from 0 on"),
        ("{values: {IN00: 1}}", "these values do not say what they are per"),
        ("{per: tensor, values: {IN00: 1}}", "One of: block, layer, component, type, model."),
        ("{per: block, values: {}}", "no values here"),
        ("{per: block, values: {IN00: 9}}", "weight = 9 is outside -4..4"),
        ("{per: block, values: {IN00: 1}, rest: 0}", "values has no key 'rest'"),
        ("{per: model, values: {a: 1, c: 1}}", "there is no model 'c'"),
        ("{per: model, values: {a: 1}}", "the values per model leave out b"),
        ("[{filter: unet}]", "a rule of weight needs a value"),
        ("[{filtre: unet, value: 1}]", "Did you mean 'filter'?"),
        ("[{filter: 3, value: 1}]", "filter should be a text"),
        ("[0.5, {value: 1}]", "a rule of weight should be a mapping"),
        ("[{value: 1}, {filter: unet, value: 0}]", "this rule is never reached"),
        ("[{filter: a, value: 1}, {filter: '*', value: 1}, {value: 0}]", "is never reached"),
    ],
)
def test_values_that_are_none(text: str, said: str) -> None:
    error = complaint(f"{TIES}\n    parameters:\n      weight: {text}\n")
    says(error, 7, said)


def test_a_shadowed_rule_is_named_with_the_one_above_it() -> None:
    error = complaint(f"""{TIES}
    parameters:
      weight:
        - value: 1
        - filter: unet
          value: 0
    """)
    says(error, 9, "this rule is never reached", "The rule at r.yaml:8 takes every tensor")


@pytest.mark.parametrize("text", ["[true, false]", "{preset: GRAD_V}", "{mbw: [0, 1]}"])
@pytest.mark.parametrize("name", ["normalize", "vote"])
def test_switches_and_choices_follow_no_curve(text: str, name: str) -> None:
    with pytest.raises(RecipeError, match=rf"^r.yaml:6: {name} (is not a number|= True should)"):
        value(text, name=name)


def test_every_number_of_a_preset_lies_within_the_limits() -> None:
    narrow = Param("epsilon", "float", 0.2, "A margin.", Range(0.1, 0.5))
    with pytest.raises(RecipeError, match=r"^here: epsilon = 0.0 is outside 0.1..0.5"):
        read_value(to_nodes({"preset": "FLAT_25"}, "here"), narrow)
    wide = Param("epsilon", "float", 0.2, "A margin.", Range(0.0, 0.3))
    assert read_value(to_nodes({"preset": "FLAT_25"}, "here"), wide) == Preset("FLAT_25")


def test_a_curve_of_whole_numbers_passes_between_them() -> None:
    rounds = Param("rounds", "int", 2, "How often.", Range(1, 9))
    assert read_value(to_nodes([1, 2.5], "here"), rounds) == Gradient((1.0, 2.5))
    with pytest.raises(RecipeError, match=r"rounds = 2.5 should be a whole number"):
        read_value(to_nodes(2.5, "here"), rounds)


def test_switches_and_choices_are_searched_among_words() -> None:
    switch = Search(0.0, 0.0, False, choices=(False, True))
    assert value("{search: [false, true]}", name="normalize") == switch
    vote = Search(0.0, 0.0, "count", "block", tie="v", choices=("after", "count"))
    assert value("{search: [after, count], init: count, per: block, tie: v}", name="vote") == vote
    grouped = Grouped("type", {"attn": True, "rest": False})
    assert value("{per: type, values: {attn: true, rest: false}}", name="normalize") == grouped


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{search: [after]}", "two choices or more, each once"),
        ("{search: [after, after]}", "two choices or more, each once"),
        ("{search: [after, cuont]}", "Did you mean 'count'?"),
        ("{search: [after, count], init: before}", "init = before is none of the choices"),
        ("{search: [after, count], log: true}", "a choice has no log"),
        ("{search: [after, count], simplex: x}", "a choice has no simplex"),
        ("{per: model, values: {a: after, b: count}}", "ties.vote is one value for all models"),
    ],
)
def test_choices_that_are_none(text: str, said: str) -> None:
    says(complaint(f"{TIES}\n    parameters:\n      vote: {text}\n"), 7, said)


def test_a_search_over_whole_numbers_is_whole() -> None:
    rounds = Param("rounds", "int", 2, "How often.", Range(1, 9))
    found = read_value(to_nodes({"search": [2, 7]}, "here"), rounds)
    assert found == Search(2, 7, 4)
    assert isinstance(found, Search)
    assert all(type(number) is int for number in (found.low, found.high, found.init))
    with pytest.raises(RecipeError, match="should be a whole number"):
        read_value(to_nodes({"search": [2, 7.5]}, "here"), rounds)
    text = Param("prompts", "lines", "", "What is drawn.")
    with pytest.raises(RecipeError, match="text, which cannot be searched"):
        read_value(to_nodes({"search": ["a", "b"]}, "here"), text)
