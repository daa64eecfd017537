"""Sizes by name: what a family's shapes and configs are written in instead of numbers.

A size is a number, or a sum of names and multiples of names: "c0", "4*c0", "c0+c1", "v-1".
In a config template a string with a leading "$" stands for a size, or for one of two numbers that
shapes do not show but that must divide a width:

    "$c0/64"        the number of heads, as near to 64 wide as divides c0
    "$32|c0,c1"     the number of groups: 32, or the largest that divides every width
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

Size = int | str
Sizes = Mapping[str, int]

_TERM = re.compile(r"([+-]?)(?:(\d+)\*)?([a-z]\w*|\d+)")


def evaluate(size: Size, sizes: Sizes) -> int:
    """The number a size stands for; KeyError names the one that is not known."""
    if isinstance(size, int):
        return size
    if size in sizes:
        return sizes[size]
    total = 0
    for sign, factor, name in _TERM.findall(size):
        value = int(name) if name.isdigit() else sizes[name]
        total += (-1 if sign == "-" else 1) * int(factor or 1) * value
    return total


def solve(shapes: Iterable[tuple[Sequence[Size], Sequence[int]]]) -> dict[str, int]:
    """Every name that some shape holds bare, with the number most of these shapes give it."""
    votes: dict[str, Counter[int]] = {}
    for sizes, shape in shapes:
        for size, number in zip(sizes, shape, strict=False):
            if isinstance(size, str) and size.isidentifier():
                votes.setdefault(size, Counter())[number] += 1
    return {name: count.most_common(1)[0][0] for name, count in votes.items()}


def told(pairs: Iterable[tuple[Size, int]]) -> dict[str, int]:
    """What one tensor's shape tells: each size as written, and w where it has a "3*w"."""
    sizes: dict[str, int] = {}
    for size, number in pairs:
        factor, star, name = str(size).partition("*")
        if star and number % int(factor) == 0:
            sizes.setdefault(name, number // int(factor))
        sizes[str(size)] = number
    return sizes


def resolve(template: object, sizes: Sizes) -> object:
    """The template with every "$…" replaced by its number."""
    if isinstance(template, str) and template.startswith("$"):
        return _number(template[1:], sizes)
    if isinstance(template, dict):
        return {key: resolve(value, sizes) for key, value in template.items()}  # pyright: ignore
    if isinstance(template, list | tuple):
        return [resolve(value, sizes) for value in template]  # pyright: ignore
    return template


def _number(text: str, sizes: Sizes) -> int:
    if "|" in text:
        largest, _, widths = text.partition("|")
        return math.gcd(int(largest), *(evaluate(width, sizes) for width in widths.split(",")))
    if "/" in text:
        size, _, wide = text.partition("/")
        width = evaluate(size, sizes)
        most = max(1, width // int(wide))
        return next(heads for heads in range(most, 0, -1) if width % heads == 0)
    return evaluate(text, sizes)
