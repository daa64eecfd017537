"""Freeze: a traced component as a table free of widths and depths.

The network is built at sizes that are told apart by their numbers (a prime for each width), so
that "4*c0" can be read off a 404; names that count layers in step become one name with "{i}".
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction

from sdmerge.errors import SdmergeError
from sdmerge.families.build.branches import outputs_of
from sdmerge.families.build.networks import converter, shapes_of
from sdmerge.families.build.origin import ORIGINS
from sdmerge.families.build.trace import Traced, trace
from sdmerge.families.family import Component, Config, Family
from sdmerge.families.sizes import Size, Sizes, evaluate
from sdmerge.families.table import INDEX, Part, Rule, Shape, Table

_PRIMES = ((101, 211, 431, 53, 59, 61, 67, 71), (103, 223, 439, 131, 137, 139, 149, 151))
_FACTORS = (2, 3, 4, 8)
_STACK = re.compile(r"\b(layers|transformer_blocks|resblocks)\.(\d+)\.")
_FileShapes = Mapping[str, tuple[int, ...]]


def freeze(family: Family) -> dict[str, Table]:
    """The tables of a family's components in single files; an SdmergeError where one is inexact."""
    tables: dict[str, Table] = {}
    for component in family.components:
        first, second = (_table(component, primes) for primes in _PRIMES)
        if first != second:
            what = "its table depends on the sizes it was traced at"
            raise SdmergeError(what, where=f"{family.name}.{component.name}")
        tables[component.name] = first
    main = family.main
    outputs = {_pattern(key)[0]: branch for key, branch in outputs_of(main, main.config).items()}
    tables[main.name] = replace(tables[main.name], branches=outputs)
    return tables


def _table(component: Component, primes: tuple[int, ...]) -> Table:
    widths = dict(zip(component.sizes, primes, strict=False))
    depths = _telling(component.depths)
    config = component.config_at({**widths, **depths})
    shapes = shapes_of(component, config)
    files = ORIGINS[component.origin](shapes)
    made = _traced(component, config, files)
    if differing := {key for key in {*shapes, *made} if key not in made or key not in shapes}:
        raise SdmergeError(f"the converter's names differ from the network's: {sorted(differing)}")
    words = _words(widths)
    rules = [_rule(key, shapes[key], made[key], files, words) for key in shapes]
    used = {part.source for rule in rules for part in rule.parts}
    shapes_in_words = {name: _in_words(files[name], words) for name in files if name in used}
    folded, stacks = _fold(rules)
    names = {number: name for name, number in depths.items()}
    return Table(
        folded,
        {_pattern(name)[0]: shape for name, shape in shapes_in_words.items()},
        {stem: names.get(depth, depth) for stem, depth in stacks.items()},
        frozenset(files) - used,
    )


def _traced(component: Component, config: Config, files: _FileShapes) -> dict[str, Traced]:
    """What diffusers makes of a single file; source names lose the prefix it wants."""
    prefix, convert = converter(component, config)
    made = trace(convert, {prefix + name: shape for name, shape in files.items()})
    return {
        key: replace(
            one, pieces=tuple(replace(p, source=p.source.removeprefix(prefix)) for p in one.pieces)
        )
        for key, one in made.items()
    }


def _telling(depths: Sizes) -> dict[str, int]:
    """The depths, but no two alike and none of one layer, where an index tells nothing."""
    telling: dict[str, int] = {}
    for name, depth in depths.items():
        telling[name] = next(n for n in itertools.count(max(2, depth)) if n not in telling.values())
    return telling


def _words(widths: Sizes) -> dict[int, set[Size]]:
    """What a number in a shape may stand for."""
    words: dict[int, set[Size]] = {}
    sizes = [*widths, *(f"{n}*{name}" for n in _FACTORS for name in widths)]
    sizes += [f"{a}+{b}" for a, b in itertools.combinations(widths, 2)]
    for size in sizes:
        words.setdefault(evaluate(size, widths), set()).add(size)
    return words


def _in_words(shape: tuple[int, ...], words: Mapping[int, set[Size]]) -> Shape:
    return tuple(_in_word(number, words) for number in shape)


def _in_word(number: int, words: Mapping[int, set[Size]]) -> Size:
    meant = words.get(number, {number})
    if len(meant) > 1:
        raise SdmergeError(f"{number} may stand for {sorted(map(str, meant))}: choose other primes")
    return next(iter(meant))


def _rule(
    key: str,
    shape: tuple[int, ...],
    made: Traced,
    files: _FileShapes,
    words: Mapping[int, set[Size]],
) -> Rule:
    if made.shape != shape:
        raise SdmergeError(f"the converter gives {made.shape}, the network has {shape}", where=key)
    parts: list[Part] = []
    for piece in made.pieces:
        whole, own = math.prod(files[piece.source]), math.prod(shape)
        parts.append(
            Part(
                piece.source,
                (Fraction(piece.source_start, whole), _end(piece.source_start, piece.count, whole)),
                (Fraction(piece.target_start, own), _end(piece.target_start, piece.count, own)),
                piece.transpose is not None,
            )
        )
    return Rule(key, _in_words(shape, words), tuple(parts))


def _end(start: int, count: int, whole: int) -> Fraction:
    return Fraction(start + count, whole)


def _fold(rules: Iterable[Rule]) -> tuple[dict[str, Rule], dict[str, int]]:
    """The rules with equal layers told once, and how many layers each stack has."""
    folded: dict[str, Rule] = {}
    members: dict[str, list[int]] = {}
    for rule in rules:
        pattern, index = _pattern(rule.key)
        parts = tuple(replace(part, source=_pattern(part.source)[0]) for part in rule.parts)
        one = Rule(pattern, rule.shape, parts)
        if folded.setdefault(pattern, one) != one:
            raise SdmergeError("its layers are not alike", where=rule.key)
        if any(_pattern(part.source)[1] != index for part in rule.parts):
            raise SdmergeError("its layers are numbered differently in files", where=rule.key)
        if index is not None:
            members.setdefault(pattern, []).append(index)
    stacks: dict[str, int] = {}
    for pattern, indices in members.items():
        stem = pattern.partition(INDEX)[0]
        if indices != list(range(stacks.setdefault(stem, len(indices)))):
            raise SdmergeError("its layers are not numbered from 0 without gaps", where=pattern)
    return folded, stacks


def _pattern(name: str) -> tuple[str, int | None]:
    """A name with its place in a stack taken out, and that place."""
    match = _STACK.search(name)
    if match is None:
        return name, None
    return name[: match.start(2)] + INDEX + name[match.end(2) :], int(match[2])
