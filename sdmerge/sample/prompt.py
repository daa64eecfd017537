r"""Prompts as people write them: (word), (word:1.2), [word], \( for a bracket, BREAK.

The language is that of A1111's web interface. Round brackets multiply the weight of what they hold
by 1.1 or by the number given, square ones divide it by 1.1; one that is never closed reaches to the
end. What else that interface reads out of a prompt is refused here, not drawn as words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sdmerge.errors import InputError

_ROUND, _SQUARE = 1.1, 1 / 1.1

_MARK = re.compile(
    r"""\\(?P<escaped>[()\[\]\\])
    | (?P<open>[(\[])
    | :\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)
    | (?P<close>[)\]])
    | \s*\b(?P<stop>BREAK)\b\s*""",
    re.VERBOSE,
)

_REFUSED = (
    (re.compile(r"<(lora|lyco|hypernet):[^>]*>"), "names a LoRA", "Pass it with --lora FILE:0.8."),
    (
        re.compile(r"(?<!\\)\[[^\[\]]*:\s*\d*\.?\d+\s*\]"),
        "changes with the steps",
        "Draw it twice.",
    ),
    (re.compile(r"(?<!\\)\[[^\[\]]*\|[^\[\]]*\]"), "alternates between steps", "Draw it twice."),
    (re.compile(r"\bAND\b"), "joins two prompts", "Write 'and' if you mean the word."),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of one weight; `stop` says that the next ones start a chunk of their own."""

    text: str
    weight: float = 1.0
    stop: bool = False


def parse_prompt(prompt: str) -> tuple[Piece, ...]:
    """The words of a prompt with their weights, neighbours of one weight together."""
    for pattern, what, hint in _REFUSED:
        if found := pattern.search(prompt):
            raise InputError(f"'{found[0]}' {what}, which is not supported", hint=hint)
    texts: list[str] = []
    weights: list[float] = []
    stops: list[int] = []
    open_: dict[str, list[int]] = {"(": [], "[": []}

    def add(text: str) -> None:
        if text:
            texts.append(text)
            weights.append(1.0)

    def scale(start: int, factor: float) -> None:
        for place in range(start, len(weights)):
            weights[place] *= factor

    at = 0
    for mark in _MARK.finditer(prompt):
        add(prompt[at : mark.start()])
        at = mark.end()
        if mark["escaped"]:
            add(mark["escaped"])
        elif mark["open"]:
            open_[mark["open"]].append(len(texts))
        elif mark["stop"]:
            stops.append(len(texts))
        elif mark["number"] and open_["("]:
            scale(open_["("].pop(), float(mark["number"]))
        elif mark["close"] == ")" and open_["("]:
            scale(open_["("].pop(), _ROUND)
        elif mark["close"] == "]" and open_["["]:
            scale(open_["["].pop(), _SQUARE)
        else:
            add(mark[0])
    add(prompt[at:])
    for start in open_["("]:
        scale(start, _ROUND)
    for start in open_["["]:
        scale(start, _SQUARE)
    return _joined(texts, weights, stops)


def plain_prompt(prompt: str) -> str:
    """The prompt's words for a model that takes no weights; an InputError if it has any."""
    pieces = parse_prompt(prompt)
    if any(piece.weight != 1 or piece.stop for piece in pieces):
        hint = "Leave brackets and BREAK out; a bracket that is meant is written \\(."
        raise InputError("the model's text encoder takes no weights", where=prompt, hint=hint)
    return "".join(piece.text for piece in pieces)


def _joined(texts: list[str], weights: list[float], stops: list[int]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for place, (text, weight) in enumerate(zip(texts, weights, strict=True)):
        pieces.extend([Piece("", stop=True)] * stops.count(place))
        if pieces and not pieces[-1].stop and pieces[-1].weight == weight:
            pieces[-1] = Piece(pieces[-1].text + text, weight)
        else:
            pieces.append(Piece(text, weight))
    pieces.extend([Piece("", stop=True)] * stops.count(len(texts)))
    return tuple(pieces) or (Piece(""),)
