"""Prompts in three parts that have nothing in common: to search with, to choose by, to test once.

Where captions are made of attributes in common (a red circle, a blue circle, a red square), a
random split tests nothing new: each attribute was searched with beside each. So pairs of words are
held out: a test caption has two words that never stand together in search or validation, though
each of them alone does stand in search; a validation caption has two that never stand together in
search.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sdmerge.errors import InputError
from sdmerge.scoring.prompts import Line

# Japanese has no spaces: a change of script ends a word
_WORD = re.compile(r"[々〇㐀-鿿豈-﫿]+|[ぁ-ゖ]+|[ァ-ヺー]+|[^\W々〇㐀-鿿豈-﫿ぁ-ゖァ-ヺー]+")
_ENOUGH = 0.6
"""A part that pairs fill less of than this is split at random."""

Pair = frozenset[str]


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts, each in the order the lines came in, and how they were found.

    `held_out` are the pairs of words that search never sees together; none if `how` is "random".
    """

    search: tuple[Line, ...]
    validation: tuple[Line, ...]
    test: tuple[Line, ...]
    how: Literal["compositional", "random"]
    held_out: tuple[tuple[str, str], ...] = ()


def split_prompts(
    lines: Sequence[Line], shares: tuple[float, float, float] = (0.5, 0.2, 0.3), seed: int = 0
) -> Split:
    """Search, validation and test in about these shares. Equal prompts stay together.

    Compositional if the captions' words allow it, else at random: `Split.how` says which.
    """
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        told = ", ".join(f"{share:g}" for share in shares)
        raise InputError(f"shares are above 0 and add up to 1, unlike {told}")
    kinds = [*dict.fromkeys(_told(line.prompt) for line in lines)]
    if len(kinds) < 3:
        what = f"{len(kinds)} different prompts cannot be split in three"
        raise InputError(what, hint="Give one for each part at least; 30 say something.")
    dice = np.random.default_rng(seed)
    sizes = _sizes(len(kinds), shares)
    words = _attributes(lines, kinds)
    found = _by_pairs(words, sizes, dice)
    how: Literal["compositional", "random"] = "random" if found is None else "compositional"
    part, pairs = found or (_at_random(len(kinds), sizes, dice), [])
    place = {kind: part[at] for at, kind in enumerate(kinds)}
    parts = [tuple(line for line in lines if place[_told(line.prompt)] == n) for n in range(3)]
    return Split(parts[0], parts[1], parts[2], how, tuple(_ordered(pair) for pair in pairs))


def check_disjoint(parts: Mapping[str, Sequence[Line]]) -> None:
    """An InputError that names the lines if a prompt stands in two parts, by name or path."""
    where: dict[str, tuple[str, int]] = {}
    shared: list[str] = []
    for name, lines in parts.items():
        for place, line in enumerate(lines, 1):
            number = line.number or place
            first, at = where.setdefault(_told(line.prompt), (name, number))
            if first != name:
                shared.append(f"'{line.prompt}' is {first}:{at} and {name}:{number}")
    if shared:
        more = f"\n  and {len(shared) - 5} more" if len(shared) > 5 else ""
        count = "a prompt stands" if len(shared) == 1 else f"{len(shared)} prompts stand"
        listed = "".join(f"\n  {one}" for one in shared[:5])
        hint = "What is tested must not have been searched with. Take them out of one of the files."
        raise InputError(f"{count} in two of {', '.join(parts)}:{listed}{more}", hint=hint)


def _told(prompt: str) -> str:
    """The prompt as far as pictures can tell it from others."""
    return " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())


def _sizes(count: int, shares: tuple[float, float, float]) -> tuple[int, int]:
    """How many prompts validation and test have; none of the three parts is empty."""
    validation = max(1, round(count * shares[1]))
    test = max(1, round(count * shares[2]))
    while validation + test >= count:
        validation, test = max(1, validation - 1), max(1, test - (validation == 1))
    return validation, test


def _attributes(lines: Sequence[Line], kinds: Sequence[str]) -> list[frozenset[str]]:
    """Each prompt's words that some captions have in common: two at least, at most half."""
    said: dict[str, set[str]] = {kind: set() for kind in kinds}
    for line in lines:
        said[_told(line.prompt)].update(_WORD.findall(_told(line.caption)))
    counts = Counter(word for words in said.values() for word in words)
    common = {word for word, count in counts.items() if 2 <= count <= len(kinds) / 2}
    return [frozenset(said[kind] & common) for kind in kinds]


def _by_pairs(
    words: Sequence[frozenset[str]], sizes: tuple[int, int], dice: np.random.Generator
) -> tuple[list[int], list[Pair]] | None:
    """Each prompt's part, and the pairs held out; None if pairs do not fill the parts."""
    users: dict[Pair, list[int]] = {}
    for at, own in enumerate(words):
        for pair in itertools.combinations(sorted(own), 2):
            users.setdefault(frozenset(pair), []).append(at)
    part = [0] * len(words)
    left = Counter(word for own in words for word in own)
    order = sorted(users, key=_ordered)
    pairs: list[Pair] = []
    for number, size in ((2, sizes[1]), (1, sizes[0])):
        room = size
        for place in dice.permutation(len(order)):
            pair = order[int(place)]
            moved = [at for at in users[pair] if part[at] == 0]
            spent = Counter(word for at in moved for word in words[at])
            # search keeps every word
            last = any(left[word] <= count for word, count in spent.items())
            if not moved or len(moved) > room or last:
                continue
            for at in moved:
                part[at] = number
            left -= spent
            room -= len(moved)
            pairs.append(pair)
        if size - room < _ENOUGH * size:
            return None
    return part, pairs


def _at_random(count: int, sizes: tuple[int, int], dice: np.random.Generator) -> list[int]:
    part = [0] * count
    order = dice.permutation(count)
    for at in order[: sizes[0]]:
        part[at] = 1
    for at in order[sizes[0] : sum(sizes)]:
        part[at] = 2
    return part


def _ordered(pair: Pair) -> tuple[str, str]:
    one, other = sorted(pair)
    return one, other
