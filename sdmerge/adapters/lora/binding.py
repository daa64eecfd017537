"""Modules meet a base model: which canonical tensor each one changes, or why it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sdmerge.adapters.lora.kinds import Delta, Edit
from sdmerge.adapters.lora.module import LoraModule
from sdmerge.adapters.lora.origin import likely_families
from sdmerge.adapters.lora.source import Change
from sdmerge.adapters.lora.targets import Target, Targets
from sdmerge.errors import CorruptFile, FamilyError
from sdmerge.families.family import Family
from sdmerge.families.keymap import KeyMap
from sdmerge.tensors.spec import TensorSpec

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Bound:
    """The changes by canonical key, and the modules that have no place in the base."""

    changes: Mapping[str, tuple[Change, ...]]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an edit may go: `found` by its name, `fitting` by its shape as well."""

    module: LoraModule
    edit: Edit
    found: tuple[Target, ...]

    @property
    def fitting(self) -> list[Target]:
        return [target for target in self.found if self.edit.fits(target.shape)]


def bind_modules(
    modules: Sequence[LoraModule],
    path: Path,
    family: Family,
    specs: Mapping[str, TensorSpec],
    single_file: KeyMap | None,
    *,
    partial: bool = False,
) -> Bound:
    """What changes which tensor; a FamilyError lists what the base has no place for.

    partial: Leave that out instead, if anything is left.
    """
    targets = Targets(family, specs, single_file)
    places = [place for module in modules for place in _places(module, targets)]
    homeless = dict.fromkeys(place.module.name for place in places if not place.fitting)
    if len(homeless) == len(modules) or not partial:
        _refuse_unknown(modules, places, path, family)
        _refuse_misfits(modules, places, path, family)
    changes: dict[str, list[Change]] = {}
    for place in places:
        if place.module.name not in homeless:
            target = _only(place, path)
            for piece in target.pieces:
                change = Change(place.module.name, place.edit, target, piece)
                changes.setdefault(piece.target, []).append(change)
    bound = {key: _disjoint(key, group, path) for key, group in changes.items()}
    for key, group in bound.items():
        _refuse_cut(key, group, specs[key], path)
    return Bound(bound, tuple(homeless))


def _places(module: LoraModule, targets: Targets) -> list[_Place]:
    """Where each edit of a module may go; an edit that need not find a tensor may be missing."""
    places = [_Place(module, edit, targets.find(module.parsed, edit.part)) for edit in module.edits]
    here = {target.component for place in places[:1] for target in place.fitting}
    chosen: list[_Place] = []
    for place in places:
        # a bias lies where its weight lies
        near = tuple(target for target in place.found if not here or target.component in here)
        if near or place.edit.required:
            chosen.append(_Place(module, place.edit, near))
    return chosen


def _only(place: _Place, path: Path) -> Target:
    """The one tensor that an edit changes; of several an error."""
    fitting = place.fitting
    if len(fitting) > 1:
        what = f"'{place.module.name}' may mean {' or '.join(one.key for one in fitting)}"
        hint = "Put the component before the names: unet., text_encoder., text_encoder_2."
        raise FamilyError(what, where=str(path), hint=hint)
    return fitting[0]


def _refuse_unknown(
    modules: Sequence[LoraModule], places: Sequence[_Place], path: Path, family: Family
) -> None:
    unknown = list(dict.fromkeys(place.module.name for place in places if not place.found))
    if unknown:
        what = (
            f"{len(unknown)} of {len(modules)} modules are not in {family.title}, "
            f"{len(modules) - len(unknown)} are: {some(unknown)}"
        )
        raise FamilyError(what, where=str(path), hint=_seems(modules, family))


def _refuse_misfits(
    modules: Sequence[LoraModule], places: Sequence[_Place], path: Path, family: Family
) -> None:
    misfits = [place for place in places if not place.fitting]
    if misfits:
        first, target = misfits[0], misfits[0].found[0]
        shown = str([size if size >= 0 else "any" for size in first.edit.shape]).replace("'", "")
        count = len({place.module.name for place in misfits})
        what = (
            f"{count} of {len(modules)} modules have other shapes than the base's weights; "
            f"the first is '{first.module.name}' {shown}, {target.key} {list(target.shape)}"
        )
        raise FamilyError(what, where=str(path), hint=_seems(modules, family))


def _disjoint(key: str, changes: list[Change], path: Path) -> tuple[Change, ...]:
    """The changes of one tensor in order; two of the same elements are an error."""
    ordered = sorted(changes, key=lambda change: change.piece.target_start)
    for one, after in pairwise(ordered):
        if one.piece.target_start + one.piece.count > after.piece.target_start:
            what = f"'{one.module}' and '{after.module}' both change {key}"
            hint = "It may hold two adapters, or one in two spellings; keep one of them."
            raise CorruptFile(what, where=str(path), hint=hint)
    return tuple(ordered)


def _refuse_cut(key: str, changes: Sequence[Change], spec: TensorSpec, path: Path) -> None:
    """An operator that looks at its whole weight cannot act on a piece of it."""
    for change in changes:
        whole = change.piece.count == change.target.numel == spec.numel
        if not (whole or isinstance(change.edit, Delta) or change.edit.rowwise):
            what = (
                f"'{change.module}' acts on {change.target.key} as a whole, and the base has it "
                f"in parts, such as {key}"
            )
            raise FamilyError(what, where=str(path))


def _seems(modules: Sequence[LoraModule], family: Family) -> str:
    likely = [one for one in likely_families(modules) if one is not family]
    return f"It seems to be made for {' or '.join(one.title for one in likely)}." if likely else ""


def some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
