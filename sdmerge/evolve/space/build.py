"""A space built: a recipe's marks, spread over the groups that their tensors have in its plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sdmerge.errors import PlanError, RecipeError
from sdmerge.evolve.space.marks import Mark, check_together, genes_of, mark_of
from sdmerge.evolve.space.places import Place, places
from sdmerge.evolve.space.space import Space
from sdmerge.recipe import Recipe, Search

if TYPE_CHECKING:  # plans are made by others, who load torch for them
    from sdmerge.plan import Plan
    from sdmerge.plan.marks import Marked

PlanOf = Callable[[Recipe], "Plan"]
_EXAMPLE = "models: [{model: A, parameters: {weight: {search: [0.0, 1.5], init: 0.7, per: block}}}]"


def space_of(recipe: Recipe, plan_of: PlanOf) -> Space:
    """The space that a recipe's marks span; a recipe without any is a RecipeError.

    A mark with `per` has a gene for each group in which it changes a tensor of the plan. Every
    method and every model that can be chosen is planned once, so that what does not fit is found
    before anything is searched.
    """
    marked = [place for place in places(recipe) if isinstance(place.value, Search)]
    if not marked:
        hint = f"Write a search instead of a value, for example {_EXAMPLE}."
        raise RecipeError("the recipe has nothing to search", where=recipe.where, hint=hint)
    plan = plan_of(recipe)
    marks = [_mark(place, plan.marks) for place in marked]
    check_together(marks)
    space = Space(recipe, genes_of(marks), tuple(marks), tuple(_notes(marks)), _loras(plan))
    _try_choices(space, marked, plan_of)
    return space


def _loras(plan: Plan) -> frozenset[str]:
    changes = {source.path for source in plan.sources if source.space != "weight"}
    return frozenset(one.written for one in plan.inputs if one.path in changes)


def _mark(place: Place, found: Sequence[Marked]) -> Mark:
    if place.rule is None:
        return mark_of(place, ("",))
    own = next((one for one in found if one.rule is place.rule), None)
    if own is None or not own.groups:
        hint = "What is taken whole, equal to the base or not in the model has no value to search."
        raise PlanError(f"{place.address} changes no tensor", where=place.where, hint=hint)
    return mark_of(place, own.groups, own.idle)


def _notes(marks: Sequence[Mark]) -> list[str]:
    notes: list[str] = []
    for mark in marks:
        idle = [group for group, name in mark.genes.items() if name is None]
        if idle:
            what = f"{', '.join(idle)} stay at {mark.search.init}: nothing changes there"
            notes.append(f"{mark.address}: {what}")
    return notes


def _try_choices(space: Space, marked: Sequence[Place], plan_of: PlanOf) -> None:
    """Plan each method and each model that may be taken, the other genes where they start."""
    for place, mark in zip(marked, space.marks, strict=True):
        if place.rule is not None or not place.address.endswith(("merge_method", ".take")):
            continue
        for choice in mark.search.choices:
            if choice != mark.search.init:
                plan_of(space.fill({**space.init, str(mark.genes[""]): choice}))
