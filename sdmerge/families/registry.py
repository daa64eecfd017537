"""Families: the registry, and the families that sdmerge knows by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sdmerge.errors import FamilyError, nearest
from sdmerge.families.family import Family
from sdmerge.families.sd1 import SD1
from sdmerge.families.sd2 import SD2
from sdmerge.families.sdxl import SDXL
from sdmerge.families.sdxl_refiner import SDXL_REFINER


class Families:
    """The registry: a value that can be copied; adding is all or nothing."""

    def __init__(self, families: Iterable[Family] = ()) -> None:
        """Start with these families."""
        self._by_name: dict[str, Family] = {}
        self.add(*families)

    def add(self, *families: Family) -> None:
        """Add all of these, or none where a name is taken twice."""
        merged = dict(self._by_name)
        for family in families:
            if (other := merged.get(family.name)) is not None:
                what = f"two families are called '{family.name}': {other.title}, {family.title}"
                raise FamilyError(what, hint="Give the second another name.")
            merged[family.name] = family
        self._by_name = merged

    def get(self, name: str) -> Family:
        """The family of this name; a FamilyError names the nearest."""
        if name not in self._by_name:
            hint = nearest(name, self._by_name) or f"Known: {', '.join(self._by_name)}."
            raise FamilyError(f"there is no family '{name}'", hint=hint)
        return self._by_name[name]

    def copy(self) -> Families:
        """A registry of the same families that can be added to on its own."""
        return Families(self)

    def __iter__(self) -> Iterator[Family]:
        """The families in the order they were added, which decides between equals."""
        return iter(self._by_name.values())

    def __len__(self) -> int:
        """How many families there are."""
        return len(self._by_name)


FAMILIES = Families((SD1, SD2, SDXL, SDXL_REFINER))
