"""Marks as genes: one each, or one per group; tied marks share theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdmerge.errors import RecipeError
from sdmerge.evolve.genes import Candidate, Gene, Kind
from sdmerge.evolve.space.places import Place
from sdmerge.params import Scalar
from sdmerge.recipe import Search


@dataclass(frozen=True, slots=True)
class Mark:
    """A search mark at an address. `genes`: group → its gene's name, None if it stays at `init`.

    A mark without `per` has one group, ''.
    """

    address: str
    search: Search
    genes: Mapping[str, str | None]
    where: str = ""


def mark_of(place: Place, groups: Sequence[str], idle: Sequence[str] = ()) -> Mark:
    """The mark at a place, with a gene for each of `groups` and none for the `idle` ones."""
    assert isinstance(place.value, Search), "a place with a mark"
    name = place.value.tie or place.address
    named = {group: f"{name}/{group}" if group else name for group in groups}
    return Mark(place.address, place.value, {**dict.fromkeys(idle), **named}, place.where)


def check_together(marks: Sequence[Mark]) -> None:
    """A RecipeError where tied marks differ, where a share stands alone, or names collide."""
    tied: dict[str, Mark] = {}
    owners: dict[str, Mark] = {}
    for mark in marks:
        if mark.search.tie:
            first = tied.setdefault(mark.search.tie, mark)
            if first.search != mark.search:
                what = f"marks tied as '{mark.search.tie}' differ"
                hint = f"They are one gene: all but the tie itself is as at {first.where}."
                raise RecipeError(what, where=mark.where, hint=hint)
        for name in filter(None, mark.genes.values()):
            if owners.setdefault(name, mark).search.tie != mark.search.tie:
                hint = "Tie marks under a name that is nothing else's address."
                raise RecipeError(f"two genes are called '{name}'", where=mark.where, hint=hint)
    sizes = Counter(share for mark in marks for share in shares_of(mark))
    for name in {share for share, _ in sizes}:
        if max(size for (share, _), size in sizes.items() if share == name) < 2:
            where = next(mark.where for mark in marks if mark.search.simplex == name)
            what = f"the simplex '{name}' has one share alone, which is always 1"
            raise RecipeError(what, where=where, hint="Give other models' marks the same simplex.")


def shares_of(mark: Mark) -> list[tuple[str, str]]:
    """The simplexes that the mark's genes are shares of: a name, and the group it is made for.

    Per block there is a simplex for each block; per model it lies across the models.
    """
    if not mark.search.simplex:
        return []
    alone = mark.search.per in ("", "model")
    return [
        (mark.search.simplex, "" if alone else group)
        for group, name in mark.genes.items()
        if name is not None
    ]


def genes_of(marks: Sequence[Mark]) -> tuple[Gene, ...]:
    """Every gene once, in the order of the recipe."""
    found: dict[str, Gene] = {}
    for mark in marks:
        for name in filter(None, mark.genes.values()):
            found.setdefault(name, _gene(name, mark.search))
    return tuple(found.values())


def _gene(name: str, search: Search) -> Gene:
    return Gene(
        name, _kind(search), search.init, search.low, search.high, search.log, search.choices
    )


def _kind(search: Search) -> Kind:
    if search.choices:
        return "choice"
    return "int" if isinstance(search.low, int) else "float"


def values_of(marks: Sequence[Mark], candidate: Candidate) -> dict[str, dict[str, Scalar]]:
    """What each mark's groups get from a candidate, by the mark's address; shares sum to 1."""
    found = {
        mark.address: {
            group: mark.search.init if name is None else candidate[name]
            for group, name in mark.genes.items()
        }
        for mark in marks
    }
    members: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for mark in marks:
        own = [group for group, name in mark.genes.items() if name is not None]
        for share, group in zip(shares_of(mark), own, strict=False):
            members.setdefault(share, []).append((mark.address, group))
    for group in members.values():
        given = [float(found[address][label]) for address, label in group]
        for (address, label), share in zip(group, _shares(given), strict=True):
            found[address][label] = share
    return found


def _shares(given: Sequence[float]) -> list[float]:
    """Numbers from 0 on that sum to 1, in the same proportions; equal ones if all are 0."""
    total = sum(given)
    if abs(total - 1) < 1e-12:  # what is filled in once stays as it is when it is read back
        return list(given)
    return [one / total for one in given] if total else [1 / len(given)] * len(given)
