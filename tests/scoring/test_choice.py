"""Choices: scorers with parameters, as people write them."""

from __future__ import annotations

import pytest

from sdmerge.errors import MethodError, ScorerError, UnknownScorer
from sdmerge.scoring.choice import Choice, choice_from, named, parse_choice


def test_words() -> None:
    assert parse_choice("clip") == Choice("clip")
    found = parse_choice("clip,model=C:\\a b/x,prefix=A photo,, of ,name=mine")
    assert found == Choice("clip", (("model", "C:\\a b/x"), ("prefix", "A photo, of ")), "mine")
    assert parse_choice("python:file:redness,gain=2").values == {"gain": "2"}


def test_recipes_say_the_same() -> None:
    entry = {"scorer": "siglip2", "model": "x", "output": "probability"}
    assert choice_from(entry) == parse_choice("siglip2,model=x,output=probability")
    assert choice_from({"scorer": "python:f:g", "gain": 2.0, "name": "g"}).values == {"gain": 2.0}


@pytest.mark.parametrize(
    ("text", "error", "phrase"),
    [
        ("clpi", UnknownScorer, "Did you mean 'clip'?"),
        ("clip,modle=x", MethodError, "Did you mean 'model'?"),
        ("clip,model", ScorerError, "'model' in 'clip,model' is no NAME=VALUE"),
        ("siglip2,output=logit", MethodError, "cosine, probability"),
    ],
)
def test_what_is_wrong_gets_the_nearest_word(
    text: str, error: type[Exception], phrase: str
) -> None:
    with pytest.raises(error) as caught:
        parse_choice(text)
    assert phrase in str(caught.value)


def test_a_recipes_entry_is_checked_too() -> None:
    with pytest.raises(UnknownScorer):
        choice_from({"model": "x"})
    with pytest.raises(MethodError, match="model = 3 should be text"):
        choice_from({"scorer": "clip", "model": 3})


def test_columns_have_names_of_their_own() -> None:
    texts = ["clip,model=a/clip_a", "clip,model=b/clip_b", "clip,model=c/clip_b", "oracle",
             "python:f:redness", "clip_image,name=oracle"]  # fmt: skip
    names = [choice.name for choice in named(map(parse_choice, texts))]
    assert names == ["clip (clip_a)", "clip (clip_b)", "clip (clip_b) #2", "oracle", "redness",
                     "oracle #2"]  # fmt: skip
