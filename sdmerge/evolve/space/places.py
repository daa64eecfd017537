"""Places: every value that a recipe may have a mark for, by its address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sdmerge.evolve.settings import read_sampler
from sdmerge.params import Scalar
from sdmerge.recipe import Applied, ComponentRule, Recipe, Rule, Search, Setting, Stage, Value
from sdmerge.recipe.aliases import stem


@dataclass(frozen=True, slots=True)
class Place:
    """A value of a recipe and its address, as `--set` has it; a rule's filter follows a slash.

    Of what is no parameter there is no rule.
    """

    address: str
    value: Value
    rule: Rule | None = None
    where: str = ""


Change = Callable[[Place], Value]


def places(recipe: Recipe) -> list[Place]:
    """Every place of a recipe, in the order in which it is read."""
    found: list[Place] = []

    def seen(place: Place) -> Value:
        found.append(place)
        return place.value

    mapped(recipe, seen)
    return found


def mapped(recipe: Recipe, change: Change) -> Recipe:
    """The recipe with what `change` gives for each place; a mark that it gives back stays one."""
    *early, last = recipe.stages
    stages = (*(_stage(one, f"{one.name}.", change) for one in early), _stage(last, "", change))
    return replace(recipe, stages=stages, evolve=_evolve(recipe, change))


def _stage(stage: Stage, head: str, change: Change) -> Stage:
    method, mark = _word(f"{head}merge_method", stage.method, stage.mark, stage.where, change)
    return replace(
        stage,
        method=method,
        mark=mark,
        models=tuple(
            replace(ref, parameters=_settings(f"{head}models[{ref.name}].", ref.parameters, change))
            for ref in stage.models
        ),
        parameters=_settings(head, stage.parameters, change),
        components={
            name: _component(f"{head}components.{name}.", rule, change)
            for name, rule in stage.components.items()
        },
        apply=_applied(f"{head}apply", stage.apply, change),
    )


def _word(
    address: str, word: str, mark: Search | None, where: str, change: Change
) -> tuple[str, Search | None]:
    found = change(Place(address, mark or word, None, where))
    return (str(found.init), found) if isinstance(found, Search) else (str(found), None)


def _component(head: str, rule: ComponentRule, change: Change) -> ComponentRule:
    if rule.take is not None:
        take, mark = _word(f"{head}take", rule.take, rule.mark, rule.where, change)
        return replace(rule, take=take, mark=mark)
    parameters = _settings(head, rule.parameters, change)
    if rule.method is None:
        return replace(rule, parameters=parameters)
    method, mark = _word(f"{head}merge_method", rule.method, rule.mark, rule.where, change)
    return replace(rule, method=method, parameters=parameters, mark=mark)


def _settings(head: str, settings: Mapping[str, Setting], change: Change) -> dict[str, Setting]:
    return {
        name: tuple(
            replace(rule, value=change(_of_rule(f"{head}parameters.{name}", rule)))
            for rule in setting
        )
        for name, setting in settings.items()
    }


def _of_rule(address: str, rule: Rule) -> Place:
    below = f"/{rule.filter}" if rule.filter else ""
    return Place(f"{address}{below}", rule.value, rule, rule.where)


def _applied(head: str, applied: Sequence[Applied], change: Change) -> tuple[Applied, ...]:
    stems = [stem(one.path) for one in applied]
    found: list[Applied] = []
    for number, (one, name) in enumerate(zip(applied, stems, strict=True)):
        index = name if stems.count(name) == 1 else str(number)
        place = Place(f"{head}[{index}].weight", one.mark or one.weight, None, one.where)
        value = change(place)
        mark = value if isinstance(value, Search) else None
        found.append(replace(one, weight=_float(mark.init if mark else value), mark=mark))
    return tuple(found)


def _float(value: object) -> float:
    if isinstance(value, bool | int | float):
        return float(value)
    raise TypeError(f"{value!r} is no strength")


def _evolve(recipe: Recipe, change: Change) -> Mapping[str, object]:
    sampler = read_sampler(recipe)
    if not sampler:
        return recipe.evolve
    changed: dict[str, object] = dict(recipe.evolve["sampler"])
    for name, value in sampler.items():
        where = recipe.lines.get(f"evolve.sampler.{name}", recipe.where)
        found = change(Place(f"sampler.{name}", value, None, where))
        if isinstance(found, Scalar):
            changed[name] = found
    return {**recipe.evolve, "sampler": changed}
