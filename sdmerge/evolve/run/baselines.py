"""Baselines: what a search has to beat, evaluated before it begins and never told to its engine.

Each parent, the uniform soup, task arithmetic with one weight for all, the recipe where the search
starts, and recipes of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sdmerge.errors import InputError
from sdmerge.evolve.genes import Candidate
from sdmerge.evolve.space import Baseline as Beaten
from sdmerge.evolve.space import Space, parents, soup, sweep
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe

Kind = Literal["parent", "soup", "sweep", "start", "added"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A recipe to compare with; `candidate` where it is one that the search could ask.

    sampling: How it is drawn where the search varies that: as the search starts.
    """

    name: str
    kind: Kind
    recipe: Recipe
    candidate: Candidate | None = None
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])


def usual(space: Space, check: Callable[[Recipe], object]) -> list[Baseline]:
    """The parents, the soup and the sweep of a space.

    check: Raises an InputError for a recipe that does not fit its files, as `plan` does. What does
        not fit is left out: models of several families have no soup.
    """
    groups: list[tuple[Kind, Iterable[Beaten]]] = [
        ("parent", parents(space)), ("soup", [soup(space)]), ("sweep", sweep(space)),
    ]  # fmt: skip
    return [
        Baseline(one.name, kind, one.recipe, one.candidate, _drawn(space, one.candidate))
        for kind, found in groups
        for one in found
        if _fits(check, one.recipe)
    ]


def added(space: Space, name: str, recipe: Recipe) -> Baseline:
    """A recipe of the user's; the engine may start there if it is one of the space."""
    try:
        candidate = space.candidate_of(recipe)
    except InputError:
        candidate = None
    return Baseline(name, "added", recipe, candidate, _drawn(space, candidate))


def _drawn(space: Space, candidate: Candidate | None) -> Mapping[str, Scalar]:
    return space.sampling(space.init if candidate is None else candidate)


def _fits(check: Callable[[Recipe], object], recipe: Recipe) -> bool:
    try:
        check(recipe)
    except InputError:
        return False
    return True
