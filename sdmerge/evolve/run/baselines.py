"""Baselines: what a search has to beat, evaluated before it begins and never told to its engine.

Each parent alone, the uniform soup, task arithmetic with one weight for all, the recipe where the
search starts, and whatever recipes the user adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sdmerge.errors import InputError
from sdmerge.evolve.genes import Candidate
from sdmerge.params import Scalar
from sdmerge.recipe import ComponentRule, ModelRef, Output, Recipe, Rule, Stage

Kind = Literal["parent", "soup", "sweep", "start", "added"]
SWEEP = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Weights of the sweep of task arithmetic."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A recipe to compare with; `candidate` where it is one that the search could ask."""

    name: str
    kind: Kind
    recipe: Recipe
    candidate: Candidate | None = None
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    """What it draws with beyond the search's own settings."""


def baselines(
    recipe: Recipe, check: Callable[[Recipe], object], *, sweep: Sequence[float] = SWEEP
) -> list[Baseline]:
    """The parents, the soup and the sweep of a recipe without search marks.

    check: Raises an InputError for a recipe that does not fit its files, as `plan` does. What does
        not fit is left out: models of several families have no soup.
    """
    refs, base = _parents(recipe)
    found = [
        one
        for ref in refs
        if (one := _first(check, _alone(recipe, ref, base))) is not None
    ]
    if base is not None:
        own = _first(check, _alone(recipe, ModelRef(base, "base"), None))
        found[:0] = [own] if own is not None else []
    rules = _taken(recipe, refs, base)
    soup = Stage("linear", refs, base, components=rules)
    found += _fitting(check, Baseline("uniform soup", "soup", _as(recipe, soup)))
    if base is not None:
        for weight in sweep:
            weighed = Stage(
                "task_arithmetic", refs, base, components=rules,
                parameters={"weight": (Rule(weight),)},
            )  # fmt: skip
            name = f"task arithmetic {weight:g}"
            found += _fitting(check, Baseline(name, "sweep", _as(recipe, weighed)))
    return found


def _parents(recipe: Recipe) -> tuple[tuple[ModelRef, ...], str | None]:
    """Every model that comes from a file, once, and the base of the first stage that has one."""
    stages = {stage.name for stage in recipe.stages if stage.name}
    base = next((one.base for one in recipe.stages if one.base and one.base not in stages), None)
    seen: dict[str, ModelRef] = {}
    for stage in recipe.stages:
        for ref in stage.models:
            if ref.path not in stages and ref.path != base:
                seen.setdefault(ref.path, ModelRef(ref.path, ref.name, named=True))
    names: dict[str, ModelRef] = {}
    for ref in seen.values():  # two stages may use one alias for two files
        name = ref.name if ref.name not in names else f"{ref.name} ({ref.path})"
        names[name] = replace(ref, name=name)
    return tuple(names.values()), base


def _alone(recipe: Recipe, ref: ModelRef, base: str | None) -> Iterator[Baseline]:
    """A parent as it is, or, if that is no model, as a LoRA on its base."""
    yield Baseline(ref.name, "parent", _as(recipe, Stage("linear", (ref,))))
    if base is not None:
        yield Baseline(ref.name, "parent", _as(recipe, Stage("linear", (ref,), base)))


def _taken(
    recipe: Recipe, refs: Sequence[ModelRef], base: str | None
) -> dict[str, ComponentRule]:
    """The components that the recipe takes whole from a parent: mixes take them, too."""
    known = {ref.name for ref in refs} | ({"base"} if base else set())
    return {
        name: ComponentRule(take=rule.take)
        for stage in recipe.stages
        for name, rule in stage.components.items()
        if rule.take in known
    }


def _as(recipe: Recipe, stage: Stage) -> Recipe:
    output = Output(dtype=recipe.output.dtype)
    return Recipe((stage,), output, recipe.seed, folder=recipe.folder, where=recipe.where)


def _first(check: Callable[[Recipe], object], ways: Iterator[Baseline]) -> Baseline | None:
    return next((one for way in ways for one in _fitting(check, way)), None)


def _fitting(check: Callable[[Recipe], object], one: Baseline) -> list[Baseline]:
    try:
        check(one.recipe)
    except InputError:
        return []
    return [one]
