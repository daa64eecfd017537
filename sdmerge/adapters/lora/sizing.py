"""Sizing: which family a LoRA is for, and at which widths, where there is no base model to ask.

Names say the family; the shapes of the factors say how wide its layers are, as the shapes of a
checkpoint do.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdmerge.adapters.lora.kinds.edit import Edit
from sdmerge.adapters.lora.names import ModuleName
from sdmerge.adapters.lora.origin import own_specs
from sdmerge.adapters.lora.targets import Target, Targets
from sdmerge.families.export import single_file_map
from sdmerge.families.family import SINGLE_FILE, Family
from sdmerge.families.keymap import KeyMap
from sdmerge.families.registry import FAMILIES
from sdmerge.families.sizes import solve, told
from sdmerge.families.table import Shape
from sdmerge.tensors.spec import TensorSpec

Named = Sequence[tuple[ModuleName, Edit | None]]
"""Modules with what they do to their weights, None where nobody knows."""


@dataclass(frozen=True, slots=True)
class Sized:
    """A family at the sizes that a LoRA's shapes show; the others are the family's own."""

    family: Family
    specs: Mapping[str, TensorSpec]
    single_file: KeyMap
    fitting: int  # modules whose names and shapes fit
    same_dimensions: int  # of those, modules with as many dimensions
    is_own: bool  # whether the sizes are the family's own

    @property
    def rank(self) -> tuple[int, int, bool]:
        """What decides between families that know the names: shapes, dimensions, then sizes."""
        return self.fitting, self.same_dimensions, self.is_own


def sized_families(modules: Named) -> list[Sized]:
    """The families that explain most modules, equally well; none where that is under half."""
    named = {family.name: _found(_own(family.name).targets, modules) for family in FAMILIES}
    most = max(sum(map(bool, found)) for found in named.values())
    sized = [
        _sized(FAMILIES.get(name), modules, found)
        for name, found in named.items()
        if sum(map(bool, found)) == most
    ]
    best = max(sized, key=lambda one: one.rank)
    if 2 * best.fitting <= len(modules):
        return []
    return [one for one in sized if one.rank == best.rank]


@dataclass(frozen=True, slots=True)
class _Model:
    specs: Mapping[str, TensorSpec]
    single_file: KeyMap
    targets: Targets

    @classmethod
    def of(cls, family: Family, specs: Mapping[str, TensorSpec]) -> _Model:
        single_file = single_file_map(family, specs)
        return cls(specs, single_file, Targets(family, specs, single_file))


@functools.cache
def _own(name: str) -> _Model:
    """A family's model at its own sizes."""
    family = FAMILIES.get(name)
    return _Model.of(family, own_specs(family))


def _found(targets: Targets, modules: Named) -> list[tuple[Target, ...]]:
    return [targets.find(name) for name, _ in modules]


def _sized(family: Family, modules: Named, named: Sequence[tuple[Target, ...]]) -> Sized:
    own = _own(family.name)
    sizes = _sizes(family, modules, named)
    specs = {
        key: spec
        for component in family.components
        for key, spec in family.specs(component.name, sizes.get(component.name), "F32").items()
    }
    is_own = specs == own.specs
    model = own if is_own else _Model.of(family, specs)
    fitting = [
        (group[0], edit)
        for group, (_, edit) in zip(_found(model.targets, modules), modules, strict=True)
        if group and (edit is None or any(edit.fits(one.shape) for one in group))
    ]
    return Sized(
        family=family,
        specs=specs,
        single_file=model.single_file,
        fitting=len(fitting),
        same_dimensions=sum(
            edit is None or len(target.shape) == len(edit.shape) for target, edit in fitting
        ),
        is_own=is_own,
    )


def _sizes(
    family: Family, modules: Named, named: Sequence[tuple[Target, ...]]
) -> dict[str, dict[str, int]]:
    """The sizes of each component that the shapes of its modules tell."""
    known: dict[str, list[tuple[Shape, tuple[int, ...]]]] = {}
    for (_, edit), group in zip(modules, named, strict=True):
        if edit is not None and len(group) == 1:
            component = group[0].pieces[0].target.partition(".")[0]
            shape = _unfolded(edit.shape, group[0].shape)
            pairs = zip(_symbolic(family, group[0]), shape, strict=False)
            told_ones = [(size, number) for size, number in pairs if number >= 0]
            row = known.setdefault(component, [])
            row.append((tuple(size for size, _ in told_ones), tuple(n for _, n in told_ones)))
    return {name: {**_by_multiples(pairs), **solve(pairs)} for name, pairs in known.items()}


def _unfolded(shape: tuple[int, ...], like: tuple[int, ...]) -> tuple[int, ...]:
    """A kernel's shape where an edit has it flat [o, i·k·k] or half open; -1 is unknown."""
    if len(shape) >= len(like):
        return shape
    kernel = like[2:]
    inner, rest = divmod(shape[1], math.prod(kernel))
    return (shape[0], -1 if shape[1] < 0 or rest else inner, *kernel)


def _by_multiples(pairs: Sequence[tuple[Shape, tuple[int, ...]]]) -> dict[str, int]:
    """Sizes that stand bare in no shape: c0 of "4*c0"."""
    sizes = [told(zip(shape, numbers, strict=False)) for shape, numbers in pairs]
    return {name: size for one in sizes for name, size in one.items() if name.isidentifier()}


def _symbolic(family: Family, target: Target) -> Shape:
    """A target's shape in the names of sizes: of a canonical weight, or of a file's."""
    component = target.pieces[0].target.partition(".")[0]
    table = family.tables[component, SINGLE_FILE]
    if rule := table.rule_of(target.key.removeprefix(f"{component}.")):
        return rule[0].shape
    prefix = family.component(component).layouts[SINGLE_FILE].prefixes[0]
    found = table.find(target.key.removeprefix(prefix))
    return table.files[found.pattern] if found else ()
