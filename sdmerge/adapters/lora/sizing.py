"""Sizing: which family a LoRA is for, and at which widths, where there is no base model to ask.

Names say the family; the shapes of the factors say how wide its layers are, as the shapes of a
checkpoint do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdmerge.adapters.lora.names import ModuleName
from sdmerge.adapters.lora.origin import own_specs
from sdmerge.adapters.lora.parts import same_weight
from sdmerge.adapters.lora.targets import Target, Targets
from sdmerge.families.export import single_file_map
from sdmerge.families.family import SINGLE_FILE, Family
from sdmerge.families.keymap import KeyMap
from sdmerge.families.registry import FAMILIES
from sdmerge.families.sizes import solve
from sdmerge.families.table import Shape
from sdmerge.tensors.spec import TensorSpec

Named = Sequence[tuple[ModuleName, tuple[int, ...] | None]]
"""Modules with the shapes of their weights, None where the file does not show it."""


@dataclass(frozen=True, slots=True)
class Sized:
    """A family at the sizes that a LoRA's shapes show; what they do not show is the family's own."""

    family: Family
    specs: Mapping[str, TensorSpec]
    single_file: KeyMap
    found: int  # modules whose names it has
    fitting: int  # of those, modules whose shapes fit
    same_dimensions: int  # of those, modules with as many dimensions
    is_own: bool  # whether the sizes are the family's own

    @property
    def rank(self) -> tuple[int, int, int, bool]:
        """What decides between families: names, shapes, dimensions, only then sizes."""
        return self.found, self.fitting, self.same_dimensions, self.is_own


def sized_families(modules: Named) -> list[Sized]:
    """The families that explain most modules, equally well; none where that is under half."""
    sized = [_sized(family, modules) for family in FAMILIES]
    best = max(sized, key=lambda one: one.rank)
    if 2 * best.fitting <= len(modules):
        return []
    return [one for one in sized if one.rank == best.rank]


def _sized(family: Family, modules: Named) -> Sized:
    own = own_specs(family)
    targets = Targets(family, own, single_file_map(family, own))
    known: dict[str, list[tuple[Shape, tuple[int, ...]]]] = {}
    for name, shape in modules:
        for target in targets.find(name):
            component = target.pieces[0].target.partition(".")[0]
            if shape is not None and len(targets.find(name)) == 1:
                known.setdefault(component, []).append((_symbolic(family, target), shape))
    sizes = {name: solve(pairs) for name, pairs in known.items()}
    specs = {
        key: spec
        for component in family.components
        for key, spec in family.specs(component.name, sizes.get(component.name)).items()
    }
    single_file = single_file_map(family, specs)
    sized_targets = Targets(family, specs, single_file)
    found = [(sized_targets.find(name), shape) for name, shape in modules]
    fitting = [
        (target, shape)
        for group, shape in found
        for target in group[:1]
        if shape is None or any(same_weight(one.shape, shape) for one in group)
    ]
    return Sized(
        family=family,
        specs=specs,
        single_file=single_file,
        found=sum(bool(group) for group, _ in found),
        fitting=len(fitting),
        same_dimensions=sum(
            shape is None or len(target.shape) == len(shape) for target, shape in fitting
        ),
        is_own=all(specs[key].shape == spec.shape for key, spec in own.items()),
    )


def _symbolic(family: Family, target: Target) -> Shape:
    """A target's shape in the names of sizes: of a canonical weight, or of a file's."""
    component, _, name = target.key.partition(".")
    if component in family.by_name and (known := family.tables[component, SINGLE_FILE].rule_of(name)):
        return known[0].shape
    component = target.pieces[0].target.partition(".")[0]
    prefix = family.component(component).layouts[SINGLE_FILE].prefixes[0]
    table = family.tables[component, SINGLE_FILE]
    found = table.find(target.key.removeprefix(prefix))
    return table.files[found.pattern] if found else ()
