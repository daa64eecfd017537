"""Recognise: which family a file's keys are of, from names and dimensions, never from widths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdmerge.families.family import Family
from sdmerge.families.fit import Fit, Group, Specs, fits
from sdmerge.families.keymap import KeyMap, identity, union
from sdmerge.families.registry import FAMILIES, Families

EXTRA = "extra."
ARCHITECTURE = "modelspec.architecture"
"""The metadata that may name a file's family."""

# an index that every CLIP rebuilds, and a second set of weights that only training needs
_DROPPED = re.compile(r"(.*\.)?position_ids|model_ema\..*")
_MOST = 0.6


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a file is, and how its keys map to canonical ones.

    components: the share of each component's tensors that the file has.
    missing: canonical keys that a present component lacks.
    dropped: keys of the file that are never merged.
    runners_up: other families, with the share of keys each would explain.
    """

    family: Family
    layout: str
    keymap: KeyMap
    variant: str
    components: Mapping[str, float]
    missing: tuple[str, ...]
    dropped: tuple[str, ...]
    share: float
    runners_up: tuple[tuple[str, float], ...]

    @property
    def extra(self) -> tuple[str, ...]:
        """Canonical keys of what no component takes; they travel along."""
        return tuple(key for key in self.keymap.specs if key.startswith(EXTRA))

    def explain(self) -> str:
        """The answer in words: winner, share, what is missing, runners-up."""
        kind = f"{self.family.title} {self.variant}".rstrip()
        parts = (f"{name} {_percent(share)}" for name, share in self.components.items())
        lines = [f"{kind}, {self.layout}: {_percent(self.share)} of the keys, {', '.join(parts)}"]
        if self.missing:
            lines.append(f"missing {_some(self.missing)}")
        if self.extra:
            lines.append(f"left over {_some(key.removeprefix(EXTRA) for key in self.extra)}")
        if self.runners_up:
            others = (f"{name} {_percent(share)}" for name, share in self.runners_up)
            lines.append(f"runners-up: {', '.join(others)}")
        return "\n".join(lines)


def recognise(
    specs: Specs,
    metadata: Mapping[str, str] | None = None,
    *,
    families: Families = FAMILIES,
    prefer: Family | None = None,
) -> Recognition | None:
    """What one file is, or None where it is no family's.

    Components that several families share go to `prefer`, else to what the file's modelspec
    metadata say, else to the family of the same size, else to the first.
    """
    dropped = tuple(name for name in specs if _DROPPED.fullmatch(name))
    kept = {name: spec for name, spec in specs.items() if name not in set(dropped)}
    groups = _groups(families, kept)
    wished = prefer or _declared(families, metadata or {})
    answers = [_Answer(family, fits(family, kept, groups), len(kept)) for family in families]
    possible = [answer for answer in answers if answer.explained >= _MOST]
    if not possible:
        return None
    order = list(families)
    possible.sort(key=lambda one: (one.rank(wished), -order.index(one.family)), reverse=True)
    return _recognition(possible, kept, dropped)


def recognise_folder(
    components: Mapping[str, Specs], *, families: Families = FAMILIES, prefer: Family | None = None
) -> Recognition | None:
    """What a diffusers folder is, given its subfolders' tensors; sources are "subfolder.key".

    Subfolders that are no component of the family (a safety checker) are left out.
    """
    known = {name for family in families for name in family.by_name}
    specs = {
        f"{folder}.{key}": spec
        for folder, tensors in components.items()
        if folder in known
        for key, spec in tensors.items()
    }
    return recognise(specs, families=families, prefer=prefer)


@dataclass(frozen=True, slots=True)
class _Answer:
    family: Family
    fits: list[Fit]
    keys: int

    @property
    def explained(self) -> float:
        """The share of the file's keys that the family's components know."""
        known = sum(len(fit.found) + len(fit.unused) for fit in self.fits)
        return known / self.keys if self.keys else 0.0

    @property
    def score(self) -> float:
        """The share of keys explained, of those there and those that should be."""
        found = sum(len(fit.found) for fit in self.fits)
        beside = sum(fit.lacking - len(fit.unused) for fit in self.fits)
        return found / (self.keys + beside)

    def rank(self, wished: Family | None) -> tuple[float, float, bool, float, float]:
        """Names first, then dimensions; wishes and sizes only decide between equals."""
        found = sum(len(fit.found) for fit in self.fits)
        right = sum(fit.right_ndim for fit in self.fits) / found
        size = sum(fit.full_size for fit in self.fits) / found
        return self.score, right, self.family is wished, size, self.explained

    def variant(self) -> str:
        """The family's variant by its main component's input channels."""
        for fit in self.fits:
            if fit.component is self.family.main:
                return self.family.variant_of(fit.sizes().get("in", fit.component.sizes["in"]))
        return ""


def _recognition(answers: list[_Answer], specs: Specs, dropped: tuple[str, ...]) -> Recognition:
    best, *others = answers
    mapped = [fit.keymap() for fit in best.fits]
    joined = union([keymap for keymap, _ in mapped])
    used = {piece.source for pieces in joined.pieces.values() for piece in pieces}
    extra = identity(specs, {name: f"{EXTRA}{name}" for name in specs if name not in used})
    return Recognition(
        family=best.family,
        layout=max(best.fits, key=lambda fit: len(fit.found)).layout,
        keymap=union([joined, extra]),
        variant=best.variant(),
        components={fit.component.name: fit.coverage for fit in best.fits},
        missing=tuple(key for _, keys in mapped for key in keys),
        dropped=dropped,
        share=best.explained,
        runners_up=tuple((one.family.name, one.score) for one in others),
    )


def _groups(families: Families, specs: Specs) -> dict[str, Group]:
    """The file's keys by every prefix that some layout knows."""
    prefixes = {
        prefix
        for family in families
        for component in family.components
        for layout in component.layouts.values()
        for prefix in layout.prefixes
    }
    return {prefix: Group.of(prefix, specs) for prefix in prefixes}


def _declared(families: Families, metadata: Mapping[str, str]) -> Family | None:
    """The family that the file's modelspec metadata name."""
    said = metadata.get(ARCHITECTURE, "")
    return next((one for one in families if said.startswith(one.architecture)), None)


def _percent(share: float) -> str:
    # 99.96 % must not read as all
    return f"{100 * share:.1f} %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def _some(keys: Iterable[str]) -> str:
    names = list(keys)
    more = ", …" if len(names) > 3 else ""
    return f"{len(names)}: {', '.join(names[:3])}{more}"
