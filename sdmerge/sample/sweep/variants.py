"""Variants: the recipes that a grid's cells take, each planned once, before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sdmerge.errors import InputError, RecipeError
from sdmerge.live.pipeline import refuse_incomplete
from sdmerge.plan import Plan
from sdmerge.recipe import Recipe, recipe_id, to_yaml
from sdmerge.sample.sweep.axis import Side, explain
from sdmerge.sample.sweep.cells import Spot

Read = Callable[[str, tuple[str, ...]], Recipe]
"""The recipe of a model or recipe file, with settings."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A recipe, planned, and the cells that are drawn with it."""

    recipe: Recipe
    plan: Plan
    spots: tuple[Spot, ...]

    @property
    def recipe_id(self) -> str:
        """The recipe's id."""
        return recipe_id(self.recipe)

    def address(self) -> str:
        """What the pictures depend on: the recipe and the files' content, which is hashed."""
        return f"{self.recipe_id} {self.plan.id}"


def variants(
    spots: Sequence[Spot], sides: Sequence[Side], read: Read, plan: Callable[[Recipe], Plan]
) -> list[Variant]:
    """A variant per distinct recipe, in the order in which the cells come to them.

    An axis that addresses nothing, or that changes nothing in any plan, is an error; so is a recipe
    whose result draws nothing.
    """
    recipes: dict[tuple[str, tuple[str, ...]], Recipe] = {}
    for spot in spots:
        key = (spot.model, spot.settings)
        if key not in recipes:
            recipes[key] = _read(read, spot, sides)
    groups: dict[Any, list[Spot]] = {}
    named: dict[Any, Recipe] = {}
    for spot in spots:
        recipe = recipes[spot.model, spot.settings]
        same = (recipe.folder, recipe_id(recipe))
        named.setdefault(same, recipe)
        groups.setdefault(same, []).append(spot)
    found = [Variant(named[same], plan(named[same]), tuple(own)) for same, own in groups.items()]
    for variant in found:
        refuse_incomplete(variant.plan)
    for side in sides:
        if side.changes_recipe and len(side.parts) > 1:
            _refuse_idle(side, found)
    return found


def recipe_text(recipe: Recipe) -> str:
    """The recipe as pictures and grids hold it, which are not about its grids and searches."""
    return to_yaml(replace(recipe, grid={}, evolve={}))


def _read(read: Read, spot: Spot, sides: Sequence[Side]) -> Recipe:
    try:
        return read(spot.model, spot.settings)
    except RecipeError as error:
        for side in sides:
            if any(error.where == f"--set {one}" for part in side.parts for one in part.settings):
                raise explain(error, side) from None
        raise


def _refuse_idle(side: Side, found: Sequence[Variant]) -> None:
    """Nothing if some two cells that differ along this axis alone have different plans."""
    plans: dict[tuple[tuple[str, Any], ...], list[Plan]] = {}
    for variant in found:
        for spot in variant.spots:
            rest = tuple((k, v) for k, v in spot.values.items() if k != side.axis.name)
            seen = plans.setdefault(rest, [])
            if not any(plan is variant.plan for plan in seen):
                seen.append(variant.plan)
    if all(_same(first, other) for first, *others in plans.values() for other in others):
        hint = "Something more special in the recipe may set it, or the method may not look at it."
        raise InputError("none of its values changes anything", where=side.where, hint=hint)


def _same(one: Plan, other: Plan) -> bool:
    return _facts(one) == _facts(other)


def _facts(plan: Plan) -> tuple[Any, ...]:
    assets: Mapping[str, Any] = {name: source.path for name, source in plan.assets.items()}
    paths = [source.path for source in plan.sources]
    return plan.tasks, plan.fits, dict(plan.texts), assets, paths
