"""Which families a LoRA may have been made for: those whose own weights its modules fit."""

from __future__ import annotations

from collections.abc import Sequence

from sdmerge.adapters.lora.module import LoraModule
from sdmerge.adapters.lora.targets import Targets
from sdmerge.families.export import single_file_map
from sdmerge.families.family import SINGLE_FILE, Family
from sdmerge.families.registry import FAMILIES
from sdmerge.families.sizes import evaluate
from sdmerge.tensors.spec import TensorSpec


def likely_families(modules: Sequence[LoraModule]) -> list[Family]:
    """The families most modules fit, several where that does not tell, none if under half fit."""
    counts: dict[str, int] = {}
    for family in FAMILIES:
        specs = own_specs(family)
        targets = Targets(family, specs, single_file_map(family, specs))
        counts[family.name] = sum(
            any(
                module.edits[0].fits(target.shape)
                for target in targets.find(module.parsed, module.edits[0].part)
            )
            for module in modules
        )
    best = max(counts.values(), default=0)
    if 2 * best <= len(modules):
        return []
    return [family for family in FAMILIES if counts[family.name] == best]


def own_specs(family: Family) -> dict[str, TensorSpec]:
    """The canonical tensors of a family at its own sizes."""
    specs: dict[str, TensorSpec] = {}
    for component in family.components:
        sizes = {**component.sizes, **component.depths}
        table = family.tables[component.name, SINGLE_FILE]
        for key, (rule, _) in table.expand({}, sizes).items():
            shape = tuple(evaluate(size, sizes) for size in rule.shape)
            specs[f"{component.name}.{key}"] = TensorSpec("F32", shape)
    return specs
