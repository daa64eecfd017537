"""Table: one component's tensors in one layout, free of widths and depths.

A name may hold one "{i}", the index within a stack of equal layers, and a shape is written in
sizes (`sizes.py`), so a three-layer CLIP or a narrow UNet is read with the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from sdmerge.errors import CorruptFile
from sdmerge.families.keymap import Piece
from sdmerge.families.sizes import Size, Sizes, evaluate, told
from sdmerge.tensors.spec import TensorSpec

Shape = tuple[Size, ...]
INDEX = "{i}"
WHOLE = (Fraction(0), Fraction(1))

# no network has ten thousand layers, and a file that says so must not make us count them
_NUMBER = "[0-9]{1,4}"


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a file's tensor that makes a share of a canonical one; shares are of flat data."""

    source: str
    source_share: tuple[Fraction, Fraction] = WHOLE
    target_share: tuple[Fraction, Fraction] = WHOLE
    transpose: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A canonical tensor: its shape and the parts of a file it is made of."""

    key: str
    shape: Shape
    parts: tuple[Part, ...]

    @property
    def stem(self) -> str:
        """What stands before the index, by which stacks of layers go; "" outside of one."""
        return _stem(self.key)


@dataclass(frozen=True, slots=True)
class Found:
    """A file's key as the table knows it: the pattern and the place in the stack, if in one."""

    pattern: str
    index: int | None


@dataclass(frozen=True)
class Table:
    """The rules by canonical pattern, the file's shapes by file pattern, and the stacks' depths.

    branches: which residual branch of the network a rule's tensor is the output projection of.
    heads: the first words of the names it knows.
    """

    rules: Mapping[str, Rule]
    files: Mapping[str, Shape]
    depths: Mapping[str, Size]
    unused: frozenset[str] = frozenset()
    aliases: tuple[tuple[str, str], ...] = ()
    branches: Mapping[str, str] = field(default_factory=dict[str, str])
    _spellings: dict[str, str] = field(init=False, repr=False, compare=False)
    _stack: re.Pattern[str] = field(init=False, repr=False, compare=False)
    heads: frozenset[str] = field(init=False, repr=False, compare=False)
    _by_source: dict[str, list[Rule]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the rules by every spelling of a file's key."""
        spellings = {alias(pattern, self.aliases): pattern for pattern in self.files}
        spellings.update({pattern: pattern for pattern in self.files})
        words = {stem.rstrip(".").rpartition(".")[2] for stem in map(_stem, spellings) if stem}
        by_source: dict[str, list[Rule]] = {}
        for rule in self.rules.values():
            for part in rule.parts:
                by_source.setdefault(part.source, []).append(rule)
        heads = {name.partition(".")[0] for name in (*spellings, *self.unused)}
        choice = "|".join(sorted(words)) or r"(?!)"
        object.__setattr__(self, "_spellings", spellings)
        object.__setattr__(self, "_stack", re.compile(rf"(.*\b(?:{choice})\.)({_NUMBER})(\..*)"))
        object.__setattr__(self, "heads", frozenset(heads))
        object.__setattr__(self, "_by_source", by_source)

    def find(self, name: str) -> Found | None:
        """What the table knows a file's key as, or None where it is not the table's."""
        if pattern := self._spellings.get(name):
            return Found(pattern, None)
        if name in self.unused:
            return None
        match = self._stack.fullmatch(name)
        pattern = self._spellings.get(f"{match[1]}{INDEX}{match[3]}") if match else None
        return Found(pattern, int(match[2])) if match and pattern else None

    def rules_from(self, pattern: str) -> list[Rule]:
        """The rules that take a part of the file's tensors of this pattern."""
        return self._by_source.get(pattern, [])

    def depths_of(self, found: Iterable[Found]) -> dict[str, int]:
        """How many layers each stack has, going by the highest index found in it."""
        depths: dict[str, int] = {}
        for one in found:
            if one.index is not None:
                stem = self.rules_from(one.pattern)[0].stem
                depths[stem] = max(depths.get(stem, 0), one.index + 1)
        return depths

    def expand(self, depths: Mapping[str, int], sizes: Sizes) -> dict[str, tuple[Rule, int | None]]:
        """Every canonical key at these depths; `sizes` tell the depth of a stack that has none."""
        keys: dict[str, tuple[Rule, int | None]] = {}
        # a stack that is missing whole is as deep as others that go by the same name
        known = {**sizes, **{str(self.depths[stem]): depth for stem, depth in depths.items()}}
        for stem, rules in self._stacks():
            if not stem:
                keys.update({rule.key: (rule, None) for rule in rules})
                continue
            for index in range(depths.get(stem) or evaluate(self.depths[stem], known)):
                keys.update({put(rule.key, index): (rule, index) for rule in rules})
        return keys

    def _stacks(self) -> Iterable[tuple[str, list[Rule]]]:
        """The rules in order, those of one stack together."""
        stem, rules = "", list[Rule]()
        for rule in self.rules.values():
            if rule.stem != stem:
                yield stem, rules
                stem, rules = rule.stem, []
            rules.append(rule)
        yield stem, rules

    def rule_of(self, key: str) -> tuple[Rule, int | None] | None:
        """The rule a canonical key comes under, with its place in the stack."""
        if key in self.rules:
            return self.rules[key], None
        for match in re.finditer(rf"(?<=\.){_NUMBER}(?=\.)", key):
            pattern = key[: match.start()] + INDEX + key[match.end() :]
            if pattern in self.rules:
                return self.rules[pattern], int(match[0])
        return None

    def canonical_shape(self, rule: Rule, files: Mapping[str, TensorSpec]) -> tuple[int, ...]:
        """The shape of a rule's tensor, given the file's tensors by pattern."""
        first = rule.parts[0].source
        return reshape(self.files[first], files[first].shape, rule.shape, first)

    def file_shape(self, pattern: str, rule: Rule, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a file's tensor, given that of one canonical tensor made of it."""
        return reshape(rule.shape, shape, self.files[pattern], rule.key)


def alias(pattern: str, aliases: tuple[tuple[str, str], ...]) -> str:
    """The other spelling of a file's key that is read as well."""
    for written, other in aliases:
        pattern = pattern.replace(written, other)
    return pattern


def put(pattern: str, index: int | None) -> str:
    """The pattern with its index filled in."""
    return pattern if index is None else pattern.replace(INDEX, str(index))


def reshape(known: Shape, shape: tuple[int, ...], wanted: Shape, where: str) -> tuple[int, ...]:
    """`wanted` in numbers, its sizes read off a tensor of shape `known`."""
    if known == wanted:
        return shape
    sizes = told(zip(known, shape, strict=False))
    try:
        return tuple(evaluate(size, sizes) for size in wanted)
    except KeyError as missing:
        what = f"its shape {list(shape)} does not tell the size {missing}"
        raise CorruptFile(what, where=where, hint="The file may be damaged.") from None


def piece(part: Part, source: str, source_spec: TensorSpec, target: str, numel: int) -> Piece:
    """One part in numbers, between a file's tensor and a canonical one of `numel` elements."""
    begin, count = _run(part.source_share, source_spec.numel, source)
    target_begin, target_count = _run(part.target_share, numel, target)
    if count != target_count:
        what = f"{count} elements cannot fill the {target_count} of {target}"
        raise CorruptFile(what, where=source, hint="The file may be damaged.")
    rows_columns = source_spec.shape if part.transpose and len(source_spec.shape) == 2 else None
    return Piece(source, begin, target, target_begin, count, rows_columns)


def _run(share: tuple[Fraction, Fraction], numel: int, where: str) -> tuple[int, int]:
    if share is WHOLE:  # as nearly all are, and fractions are slow
        return 0, numel
    begin, end = share[0] * numel, share[1] * numel
    if begin.denominator != 1 or end.denominator != 1:
        what = f"{numel} elements cannot be split into {share[1].denominator} equal parts"
        raise CorruptFile(what, where=where, hint="The file may be damaged.")
    return int(begin), int(end - begin)


def _stem(pattern: str) -> str:
    return pattern.partition(INDEX)[0] if INDEX in pattern else ""
