"""Parameters: read off a signature, checked in words."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmerge.errors import MethodError
from sdmerge.params import (
    Blend,
    Fraction,
    Mergekit,
    Param,
    PerModel,
    Range,
    Scale,
    Strength,
    details,
    read_params,
    summary,
)


def example(
    deltas: Any, *, weight: PerModel[Strength] = 1.0,
    density: Annotated[PerModel[Fraction], Mergekit(1.0)] = 0.2, lambda_: Scale = 1.0,
    normalize: bool = True, vote: Literal["after", "before"] = "after",
    rounds: Annotated[int, Range(1, 10, step=1)] = 3,
) -> None:  # fmt: skip
    """Trim each delta,
    then add up.

    More of it, in two
    lines.

    And: a paragraph with a colon.

    weight: How much each model counts.
    density: Share of entries kept;
        the smallest are dropped.
    lambda: Scale of the result.
    normalize: Divide by the sum.
    vote: What elects the sign.
    rounds: How often.
    """


PARAMS = {param.name: param for param in read_params(example)}


def test_what_leads_from_a_to_b_is_declared() -> None:
    def blend(*, t: Blend = 0.5, u: Fraction = 0.5) -> None:
        """Mix.

        t: From one to the other.
        u: Something else.
        """

    assert [(param.name, param.a_to_b) for param in read_params(blend)] == [
        ("t", True),
        ("u", False),
    ]


def test_a_signature_declares_everything() -> None:
    assert list(PARAMS) == ["weight", "density", "lambda", "normalize", "vote", "rounds"]
    assert PARAMS["weight"] == Param(
        "weight", "float", 1.0, "How much each model counts.",
        Range(0.0, 1.5, limits=(-4.0, 4.0)), per_model=True,
    )  # fmt: skip
    assert PARAMS["density"].doc == "Share of entries kept; the smallest are dropped."
    assert PARAMS["density"].mergekit == 1.0
    assert PARAMS["lambda"].range == Range(0.0, 2.0, limits=(-4.0, 4.0))
    assert (PARAMS["normalize"].kind, PARAMS["normalize"].per_model) == ("bool", False)
    assert (PARAMS["vote"].kind, PARAMS["vote"].choices) == ("choice", ("after", "before"))
    assert (PARAMS["rounds"].kind, PARAMS["rounds"].default) == ("int", 3)


def test_the_docstring_is_divided() -> None:
    assert summary(example) == "Trim each delta, then add up."
    assert details(example) == "More of it, in two\nlines.\n\nAnd: a paragraph with a colon."


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("weight", -4, -4.0), ("weight", 4.0, 4.0), ("density", 0, 0.0), ("density", 1, 1.0),
        ("normalize", False, False), ("normalize", 1, True), ("normalize", 0.0, False),
        ("vote", "before", "before"), ("rounds", 10, 10), ("rounds", 2.0, 2),
    ],
)  # fmt: skip
def test_values_within_their_limits(name: str, value: object, read: object) -> None:
    found = PARAMS[name].check(value)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("weight", 4.5, "weight = 4.5 is outside -4..4"),
        ("weight", "1.0", "weight = '1.0' should be a number"),
        ("weight", True, "weight = True should be a number"),
        ("weight", None, "weight = None should be a number"),
        ("weight", math.nan, "weight = nan is outside -4..4"),
        ("weight", 10**400, "is outside -4..4"),
        ("density", 1.0000001, "density = 1.0000001 is outside 0..1"),
        ("density", -math.inf, "density = -inf is outside 0..1"),
        ("normalize", "yes", "normalize = 'yes' should be true or false"),
        ("normalize", 2, "normalize = 2 should be true or false"),
        ("vote", "bevore", "vote = 'bevore' should be one of after, before"),
        ("vote", 1, "vote = 1 should be one of after, before"),
        ("rounds", 2.5, "rounds = 2.5 should be a whole number"),
        ("rounds", 0, "rounds = 0 is outside 1..10"),
    ],
)
def test_values_that_do_not_fit_are_named(name: str, value: object, said: str) -> None:
    with pytest.raises(MethodError) as raised:
        PARAMS[name].check(value)
    assert said in raised.value.what
    assert raised.value.hint in (PARAMS[name].doc, "Did you mean 'before'?")


def test_a_number_without_a_range_is_still_finite() -> None:
    free, whole = Param("x", "float", 0.0, "Free."), Param("x", "int", 0, "Whole.")
    assert free.check(1e300) == 1e300
    for param in (free, whole):
        for value in (math.nan, math.inf, -math.inf):
            with pytest.raises(MethodError, match="a finite number"):
                param.check(value)


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("weight", "-0.5", -0.5), ("weight", "1e-3", 0.001), ("rounds", "4", 4),
        ("normalize", "no", False), ("normalize", "True", True), ("normalize", "1", True),
        ("vote", "before", "before"),
    ],
)  # fmt: skip
def test_words_of_a_command_line(name: str, text: str, read: object) -> None:
    assert PARAMS[name].parse(text) == read


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("weight", "much"),
        ("weight", "nan"),
        ("rounds", "1.5"),
        ("normalize", "maybe"),
        ("vote", ""),
    ],
)
def test_wrong_words_of_a_command_line(name: str, text: str) -> None:
    with pytest.raises(MethodError, match=name):
        PARAMS[name].parse(text)


@given(st.sampled_from(["weight", "density", "lambda", "rounds"]), st.floats(-5, 12))
def test_what_is_printed_is_read_back(name: str, value: float) -> None:
    param = PARAMS[name]
    value = round(value) if param.kind == "int" else value
    low, high = param.range.allowed if param.range else (0, 0)
    if low <= value <= high:
        assert param.parse(repr(param.check(value))) == value
    else:
        with pytest.raises(MethodError):
            param.parse(repr(value))


def without_default(weights: Any, *, weight: Strength) -> None:
    """Sum.

    weight: Of each.
    """


def without_words(weights: Any, *, weight: Strength = 1.0, scale: Scale = 1.0) -> None:
    """Sum.

    weight: Of each.
    """


def with_words_too_many(weights: Any, *, weight: Strength = 1.0) -> None:
    """Sum.

    weight: Of each.
    scale: Of all.
    """


def of_another_type(weights: Any, *, weight: complex = 1j) -> None:
    """Sum.

    weight: Of each.
    """


def beyond_its_range(weights: Any, *, density: Fraction = 1.5) -> None:
    """Sum.

    density: Share.
    """


def a_choice_per_model(weights: Any, *, vote: PerModel[Literal["a", "b"]] = "a") -> None:
    """Sum.

    vote: Which.
    """


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (without_default, "without_default: parameter weight needs a default"),
        (without_words, "without_words: parameter scale needs a docstring line 'scale: …'"),
        (with_words_too_many, r"describes \['scale'\], which it does not take"),
        (of_another_type, "use float, int, bool, str or Literal"),
        (beyond_its_range, "the default of density = 1.5 is outside 0..1"),
        (a_choice_per_model, "parameter vote is per model, so it must be a number"),
    ],
)
def test_authors_are_told_at_import(function: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        read_params(function)
