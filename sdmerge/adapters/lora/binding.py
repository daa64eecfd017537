"""Modules meet a base model: which canonical weight each one changes, or why it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from sdmerge.adapters.lora.module import LoraModule
from sdmerge.adapters.lora.origin import likely_families
from sdmerge.adapters.lora.source import Change
from sdmerge.adapters.lora.targets import Target, Targets
from sdmerge.errors import CorruptFile, FamilyError
from sdmerge.families.family import Family
from sdmerge.families.keymap import KeyMap
from sdmerge.tensors.spec import TensorSpec

_SHOWN = 5


def bind_modules(
    modules: Sequence[LoraModule],
    path: Path,
    family: Family,
    specs: Mapping[str, TensorSpec],
    single_file: KeyMap | None,
) -> dict[str, tuple[Change, ...]]:
    """The changes by canonical key; a FamilyError lists what the base has no place for."""
    targets = Targets(family, specs, single_file)
    found = {module.name: targets.find(module.parsed) for module in modules}
    _refuse_unknown(modules, found, path, family)
    _refuse_misfits(modules, found, path, family)
    changes: dict[str, list[Change]] = {}
    for module in modules:
        fitting = [one for one in found[module.name] if one.fits(module.shape)]
        if len(fitting) > 1:
            what = f"'{module.name}' may mean {' or '.join(one.key for one in fitting)}"
            hint = "Put the component before the names: unet., text_encoder., text_encoder_2."
            raise FamilyError(what, where=str(path), hint=hint)
        for piece in fitting[0].pieces:
            changes.setdefault(piece.target, []).append(Change(module, piece))
    return {key: _disjoint(key, group, path) for key, group in changes.items()}


def _refuse_unknown(
    modules: Sequence[LoraModule],
    found: Mapping[str, tuple[Target, ...]],
    path: Path,
    family: Family,
) -> None:
    unknown = [module.name for module in modules if not found[module.name]]
    if unknown:
        what = (
            f"{len(unknown)} of {len(modules)} modules are not in {family.title}, "
            f"{len(modules) - len(unknown)} are: {some(unknown)}"
        )
        raise FamilyError(what, where=str(path), hint=_seems(modules, family))


def _refuse_misfits(
    modules: Sequence[LoraModule],
    found: Mapping[str, tuple[Target, ...]],
    path: Path,
    family: Family,
) -> None:
    misfits = [
        (module, found[module.name][0])
        for module in modules
        if not any(one.fits(module.shape) for one in found[module.name])
    ]
    if misfits:
        module, target = misfits[0]
        what = (
            f"{len(misfits)} of {len(modules)} modules have other shapes than the base's weights; "
            f"the first is '{module.name}' {list(module.shape)}, {target.key} {list(target.shape)}"
        )
        raise FamilyError(what, where=str(path), hint=_seems(modules, family))


def _disjoint(key: str, changes: list[Change], path: Path) -> tuple[Change, ...]:
    """The changes of one weight in order; two of the same elements are an error."""
    ordered = sorted(changes, key=lambda change: change.piece.target_start)
    for one, after in pairwise(ordered):
        if one.piece.target_start + one.piece.count > after.piece.target_start:
            what = f"'{one.module.name}' and '{after.module.name}' both change {key}"
            hint = "It may hold two adapters, or one in two spellings; keep one of them."
            raise CorruptFile(what, where=str(path), hint=hint)
    return tuple(ordered)


def _seems(modules: Sequence[LoraModule], family: Family) -> str:
    likely = [one for one in likely_families(modules) if one is not family]
    return f"It seems to be made for {' or '.join(one.title for one in likely)}." if likely else ""


def some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
