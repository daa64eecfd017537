"""Fit: how well a component's table, in one layout and under one prefix, explains a file's keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sdmerge.errors import CorruptFile
from sdmerge.families.family import Component, Family
from sdmerge.families.keymap import KeyMap, Piece
from sdmerge.families.sizes import evaluate, solve
from sdmerge.families.table import Found, Rule, Table, piece
from sdmerge.tensors.spec import TensorSpec

Specs = Mapping[str, TensorSpec]

# Less than this share of a component's tensors is not that component with some missing but another
# thing with names in common: a ControlNet has half of a UNet's, the upscaler's UNet four fifths.
PRESENT = 0.9


@dataclass(frozen=True)
class Fit:
    """The keys of a file that a table knows; `found` and `unused` are by the file's own keys."""

    component: Component
    layout: str
    table: Table
    found: Mapping[str, Found]
    unused: frozenset[str]
    stray: int
    specs: Specs

    @cached_property
    def expected(self) -> Mapping[str, tuple[Rule, int | None]]:
        """The canonical keys (without the component) at the depths that the file has."""
        sizes = {**self.component.sizes, **self.component.depths}
        return self.table.expand(self.table.depths_of(self.found.values()), sizes)

    @cached_property
    def _wanted(self) -> int:
        return len({(p.source, i) for rule, i in self.expected.values() for p in rule.parts})

    @property
    def lacking(self) -> int:
        """How many of the component's tensors the file does not have."""
        return self._wanted - len(self.found)

    @property
    def coverage(self) -> float:
        """The share of the component's tensors that the file has."""
        return len(self.found) / self._wanted

    @cached_property
    def right_ndim(self) -> int:
        """How many tensors have as many dimensions as the table says."""
        files = self.table.files
        return sum(
            len(files[one.pattern]) == len(self.specs[key].shape) for key, one in self.found.items()
        )

    @cached_property
    def full_size(self) -> int:
        """How many tensors are as large as the family's own."""
        sizes = {**self.component.sizes, **self.component.depths}
        shapes = {
            pattern: tuple(evaluate(size, sizes) for size in shape)
            for pattern, shape in self.table.files.items()
        }
        return sum(shapes[one.pattern] == self.specs[k].shape for k, one in self.found.items())

    @property
    def rank(self) -> tuple[float, float, float, float]:
        """What decides between two fits of the same keys: names, dimensions, only then sizes."""
        count, all_keys = len(self.found), self._wanted + self.stray
        plain = count / (all_keys + len(self.unused))
        return count / all_keys, self.right_ndim / count, self.full_size / count, plain

    def sizes(self) -> dict[str, int]:
        """The widths that the file's shapes tell."""
        shapes = [(self.table.files[f.pattern], self.specs[k].shape) for k, f in self.found.items()]
        return solve(shapes)

    def has_fixed_sizes(self) -> bool:
        """Whether the sizes that tell this network from its likes are as they should be."""
        own = self.component.sizes
        sizes = self.sizes() if self.component.fixed else {}
        return all(sizes.get(name, own[name]) == own[name] for name in self.component.fixed)

    def keymap(self) -> tuple[KeyMap, tuple[str, ...]]:
        """The map from the file's keys to canonical ones, and the canonical keys it cannot fill."""
        names = self._names()
        specs, pieces = dict[str, TensorSpec](), dict[str, tuple[Piece, ...]]()
        missing: list[str] = []
        for key, (rule, index) in self.expected.items():
            target = f"{self.component.name}.{key}"
            wanted = {part.source: names.get((part.source, index)) for part in rule.parts}
            held = {p: self.specs[name] for p, name in wanted.items() if name is not None}
            if len(held) < len(wanted):
                missing.append(target)
                continue
            spec = TensorSpec(
                held[rule.parts[0].source].dtype, self.table.canonical_shape(rule, held)
            )
            specs[target] = spec
            pieces[target] = tuple(
                piece(part, str(wanted[part.source]), held[part.source], target, spec.numel)
                for part in rule.parts
            )
        sources = {name: self.specs[name] for name in self.found}
        return KeyMap(specs, pieces, sources), tuple(missing)

    def _names(self) -> dict[tuple[str, int | None], str]:
        """The file's key of each tensor, which it must not hold under two spellings."""
        names: dict[tuple[str, int | None], str] = {}
        for key, one in self.found.items():
            if (other := names.setdefault((one.pattern, one.index), key)) != key:
                hint = "Remove one of them."
                raise CorruptFile(f"is the same tensor as {other}", where=key, hint=hint)
        return names


@dataclass(frozen=True, slots=True)
class Group:
    """A file's keys under one prefix: by the first word after it, without the prefix, and whole."""

    size: int
    by_head: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, prefix: str, keys: Iterable[str]) -> Group:
        """The group of the keys that start with this prefix."""
        by_head: dict[str, dict[str, str]] = {}
        for key in keys:
            if key.startswith(prefix):
                name = key[len(prefix) :]
                by_head.setdefault(name.partition(".")[0], {})[name] = key
        return cls(sum(map(len, by_head.values())), by_head)

    def known_to(self, table: Table) -> dict[str, str]:
        """The keys that start as some of the table's names do; most tables know none."""
        heads = [head for head in self.by_head if head in table.heads]
        return {name: key for head in heads for name, key in self.by_head[head].items()}


def fits(family: Family, specs: Specs, groups: Mapping[str, Group]) -> list[Fit]:
    """The components of a family that the keys hold, each once and no key in two of them.

    `groups` are the file's keys by prefix.
    """
    tried = (
        _fit(family.component(name), layout, table, groups[prefix], specs)
        for (name, layout), table in family.tables.items()
        for prefix in family.component(name).layouts[layout].prefixes
    )
    candidates = [fit for fit in tried if fit is not None]
    chosen: list[Fit] = []
    for fit in sorted(candidates, key=lambda fit: fit.rank, reverse=True):
        rivals = [one for one in chosen if one.component is fit.component]
        claimed = any(not one.found.keys().isdisjoint(fit.found) for one in chosen)
        if not rivals and not claimed:
            chosen.append(fit)
    order = list(family.by_name)
    return sorted(chosen, key=lambda fit: order.index(fit.component.name))


def _fit(component: Component, layout: str, table: Table, group: Group, specs: Specs) -> Fit | None:
    """How the table fits a group, or None where too little of the component is there."""
    names = group.known_to(table)
    found = {key: one for name, key in names.items() if (one := table.find(name)) is not None}
    deepest = max((one.index or 0 for one in found.values()), default=0)
    if len(found) <= deepest:  # none found, or one far out
        return None
    unused = frozenset(names[name] for name in table.unused & names.keys()) - found.keys()
    stray = group.size - len(found) - len(unused)
    fit = Fit(component, layout, table, found, unused, stray, specs)
    return fit if fit.coverage >= PRESENT and fit.has_fixed_sizes() else None
