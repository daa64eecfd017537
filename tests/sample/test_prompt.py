"""The prompt language, case by case, as A1111's web interface reads it."""

from __future__ import annotations

import pytest

from sdmerge.errors import InputError
from sdmerge.sample.prompt import parse_prompt, plain_prompt


def read(prompt: str) -> list[tuple[str, float] | str]:
    return [
        "BREAK" if piece.stop else (piece.text, round(piece.weight, 6))
        for piece in parse_prompt(prompt)
    ]


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("", [("", 1)]),
        ("a cat", [("a cat", 1)]),
        ("(cat)", [("cat", 1.1)]),
        ("((cat))", [("cat", 1.21)]),
        ("[cat]", [("cat", round(1 / 1.1, 6))]),
        ("(cat:1.5) and dog", [("cat", 1.5), (" and dog", 1)]),
        ("a (big (red:2) cat:0.5)", [("a ", 1), ("big ", 0.5), ("red", 1), (" cat", 0.5)]),
        ("(cat : .75 )", [("cat ", 0.75)]),
        ("(cat:-1)", [("cat", -1)]),
        (r"\(cat\) \[x\] \\", [("(cat) [x] \\", 1)]),
        (r"(a \(b\):1.3)", [("a (b)", 1.3)]),
        ("(open", [("open", 1.1)]),
        ("a [open", [("a ", 1), ("open", round(1 / 1.1, 6))]),
        ("a) b]", [("a) b]", 1)]),
        ("12:30) x", [("12:30) x", 1)]),
        ("a: b", [("a: b", 1)]),
        ("(house:1.1.1)", [("house:1.1.1", 1.1)]),
        ("a BREAK b", [("a", 1), "BREAK", ("b", 1)]),
        ("(a BREAK b:2)", [("a", 2), "BREAK", ("b", 2)]),
        ("BREAK a", ["BREAK", ("a", 1)]),
        ("BREAKFAST", [("BREAKFAST", 1)]),
        ("黒い(背景:1.2)", [("黒い", 1), ("背景", 1.2)]),
    ],
)
def test_reading(prompt: str, pieces: list[tuple[str, float] | str]) -> None:
    assert read(prompt) == pieces


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a <lora:style:0.8> b", "--lora"),
        ("[cat:dog:0.5]", "changes with the steps"),
        ("[cat|dog]", "alternates"),
        ("cat AND dog", "'and'"),
    ],
)
def test_what_is_refused(prompt: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_prompt(prompt)
    assert said in str(caught.value)


def test_words_alone() -> None:
    assert plain_prompt(r"a cat \(black\)") == "a cat (black)"
    for prompt in ("(cat:1.2)", "(cat)", "a BREAK b"):
        with pytest.raises(InputError, match="takes no weights"):
            plain_prompt(prompt)
