"""Space: what a search may change of a recipe, and the recipe that a candidate stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from sdmerge.errors import InputError, nearest
from sdmerge.evolve.genes import Candidate, Gene
from sdmerge.evolve.space.marks import Mark, values_of
from sdmerge.evolve.space.places import Place, mapped, places
from sdmerge.params import Scalar
from sdmerge.recipe import Grouped, Recipe, Search, Value

SAMPLER = "sampler."


@dataclass(frozen=True)
class Space:
    """The genes of a recipe. `marks` say where each is filled in, `notes` what is left out."""

    recipe: Recipe
    genes: tuple[Gene, ...]
    marks: tuple[Mark, ...]
    notes: tuple[str, ...] = ()
    loras: frozenset[str] = frozenset()
    """The models that are LoRAs, as the recipe writes them."""

    @property
    def init(self) -> Candidate:
        """Where the recipe says that the search starts, which is what a plain merge uses."""
        return {gene.name: gene.init for gene in self.genes}

    def fill(self, candidate: Candidate) -> Recipe:
        """The recipe with a candidate's values instead of marks; what is no candidate is an error.

        A mark with `per` becomes `{per: …, values: …}`.
        """
        self.check(candidate)
        values = values_of(self.marks, candidate)
        per = {mark.address: mark.search.per for mark in self.marks}

        def filled(place: Place) -> Value:
            if (found := values.get(place.address)) is None:
                return place.value
            return Grouped(per[place.address], found) if per[place.address] else found[""]

        return mapped(self.recipe, filled)

    def sampling(self, candidate: Candidate) -> dict[str, Scalar]:
        """The settings of drawing that are genes, by name: steps, guidance_scale, …"""
        self.check(candidate)
        return {
            mark.address.removeprefix(SAMPLER): values[""]
            for mark in self.marks
            if mark.address.startswith(SAMPLER)
            and (values := values_of([mark], candidate)[mark.address])
        }

    def check(self, candidate: Candidate) -> None:
        """Nothing if every gene has a value within its range and nothing else has one."""
        for name in candidate:
            if name not in self.by_name:
                raise InputError(f"there is no gene '{name}'", hint=nearest(name, self.by_name))
        for gene in self.genes:
            if gene.name not in candidate:
                raise InputError(f"the candidate says nothing of '{gene.name}'")
            _check_value(gene, candidate[gene.name])

    @cached_property
    def by_name(self) -> dict[str, Gene]:
        """The genes by name."""
        return {gene.name: gene for gene in self.genes}

    def candidate_of(self, recipe: Recipe) -> Candidate:
        """The candidate that a recipe of the same shape stands for: `fill` read backwards.

        A number stands for all groups; marks of the recipe for where they start. What does not fit
        is an InputError. Models are compared by name only, and how pictures are drawn starts where
        this space does if the recipe does not say it.
        """
        given = {place.address: place for place in places(recipe)}
        marked = {mark.address for mark in self.marks}
        own = {place.address: place for place in places(self.recipe)}
        for address, place in given.items():
            if address not in own:
                raise _misfit(place, f"the searched recipe says nothing of {address}")
        for address, place in own.items():
            if address not in given:
                if address.startswith(SAMPLER):
                    continue
                raise InputError(f"{address} is not given", where=recipe.where)
            if address not in marked and given[address].value != place.value:
                raise _misfit(given[address], f"{address} is not as in the searched recipe")
        found: dict[str, Scalar] = {}
        for mark in self.marks:
            place = given.get(mark.address) or own[mark.address]
            for group, value in _read(mark, place):
                name = str(mark.genes[group])
                if found.setdefault(name, value) != value:
                    raise _misfit(place, f"{name} is one gene and has two values here")
                try:
                    _check_value(self.by_name[name], value)
                except InputError as error:
                    raise _misfit(place, error.what) from None
        return found

    def around(self, candidate: Candidate, radius: float) -> Space:
        """The space within `radius` of a candidate, as a share of each range; choices stay free.

        The search starts at the candidate.
        """
        self.check(candidate)
        if not 0 < radius <= 1:
            raise InputError(f"a trust region of {radius:g}", hint="It is a share, 0 to 1.")
        genes = tuple(_near(gene, candidate[gene.name], radius) for gene in self.genes)
        return replace(self, genes=genes)


def _check_value(gene: Gene, value: Scalar) -> None:
    if gene.kind == "choice":
        if value not in gene.choices:
            words = ", ".join(map(str, gene.choices))
            raise InputError(f"{gene.name} = {value} is none of {words}")
        return
    if isinstance(value, bool | str) or (gene.kind == "int" and value % 1):
        raise InputError(f"{gene.name} = {value!r} is no {_KINDS[gene.kind]}")
    if not gene.low <= value <= gene.high:
        span = f"{gene.low:g}..{gene.high:g}"
        raise InputError(f"{gene.name} = {value!r} is outside the search {span}")


_KINDS = {"int": "whole number", "float": "number"}


def _read(mark: Mark, place: Place) -> list[tuple[str, Scalar]]:
    """The value of each group that has a gene."""
    genes = [group for group, name in mark.genes.items() if name is not None]
    value = place.value.init if isinstance(place.value, Search) else place.value
    if isinstance(value, Scalar):
        return [(group, value) for group in genes]
    if not isinstance(value, Grouped) or value.per != mark.search.per:
        wanted = f"values per {mark.search.per}" if mark.search.per else "one value"
        raise _misfit(place, f"{mark.address} should be {wanted}")
    for group in value.values:
        if group not in mark.genes:
            raise _misfit(place, f"{mark.address} has no {value.per} '{group}' to search")
    for group in genes:
        if group not in value.values:
            raise _misfit(place, f"{mark.address} leaves out {group}")
    return [(group, value.values[group]) for group in genes]


def _misfit(place: Place, what: str) -> InputError:
    hint = "A recipe to start from has the same rules, with values where the search has marks."
    return InputError(what, where=place.where, hint=hint)


def _near(gene: Gene, value: Scalar, radius: float) -> Gene:
    if gene.kind == "choice":
        return replace(gene, init=value)
    at = gene.position(value)
    low, high = (float(gene.value(end)) for end in (at - radius, at + radius))
    # an int has at least one neighbour, and rounding leaves the candidate inside
    step = int(gene.kind == "int")
    low, high = min(low, float(value) - step), max(high, float(value) + step)
    return replace(gene, init=value, low=max(gene.low, low), high=min(gene.high, high))
