"""Batch: several merges at once, of several recipes or of values put into one, named by a template.

    {name}-{method}-{t}.safetensors

Fields are `name` (of the recipe's file), `method`, `base`, `models`, `seed`, `id`, and every value:
`t`, `weight[ja]`. Everything is checked before the first merge. Imports no torch.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sdmerge.errors import InputError, nearest
from sdmerge.manifest import manifest
from sdmerge.params import Param, Scalar
from sdmerge.recipe import Recipe, Search, Setting, recipe_id
from sdmerge.recipe.aliases import stem
from sdmerge.sample.grid import Value
from sdmerge.sample.sweep.axis import Side, read_axis

MOST = 1000
"""Merges of a batch."""
_FIELD = re.compile(r"\{([^{}]*)\}")
_OF_MODEL = re.compile(r"(?P<name>[^\[\]]+)\[(?P<model>[^\]]+)\]")
_UNFIT = re.compile(r'[\\/:*?"<>|{}\x00-\x1f]')
_OWN = ("name", "method", "base", "models", "seed", "id")


@dataclass(frozen=True, slots=True)
class Point:
    """One combination of swept values. settings: as `--set` takes them."""

    settings: tuple[str, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    """Values by the names and by the paths of their axes."""


@dataclass(frozen=True, slots=True)
class Named:
    """A merge that is to be named. title: What its recipe's file is called."""

    title: str
    recipe: Recipe
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])


def points(sweeps: Sequence[str]) -> list[Point]:
    """Every combination of the values of `sweeps`, which are written like axes of a grid."""
    sides = [read_axis(text) for text in sweeps]
    for side in sides:
        if not side.changes_recipe:
            hint = "Sweep a value of the recipe, for example t=0:1:0.25."
            raise InputError(f"'{side.axis.path}' changes no merge", where=side.where, hint=hint)
    count = math.prod(len(side.parts) for side in sides)
    if count > MOST:
        hint = "Take fewer values."
        raise InputError(f"these are {count:,} merges; {MOST:,} is the most", hint=hint)
    return [_point(sides, row) for row in itertools.product(*(range(len(s.parts)) for s in sides))]


def _point(sides: Sequence[Side], row: Sequence[int]) -> Point:
    settings: list[str] = []
    values: dict[str, Value] = {}
    for side, place in zip(sides, row, strict=True):
        settings += side.parts[place].settings
        values[side.axis.name] = values[side.axis.path] = side.axis.values[place]
    return Point(tuple(settings), values)


def names(template: str, merges: Sequence[Named]) -> list[str]:
    """The template filled for each merge; an InputError if two would have one name.

    So for a field that nothing is known of, and for a value that is no part of a file's name.
    """
    found = [_FIELD.sub(lambda at, one=one: _text(at[1], one), template) for one in merges]
    for name, first in zip(found, merges, strict=True):
        same = [one.title for one, other in zip(merges, found, strict=True) if other == name]
        if len(same) > 1:
            fields = ["name", *dict.fromkeys(key for key in first.values if "." not in key)]
            hint = f"Put {' or '.join(f'{{{key}}}' for key in fields)} into it."
            what = f"{len(same)} merges would be called '{name}': {', '.join(same[:5])}"
            raise InputError(what, where=template, hint=hint)
    return found


def _text(name: str, merge: Named) -> str:
    value = _value(name.strip(), merge)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    if _UNFIT.search(text) or not text.strip(" ."):
        hint = "Name it by another field."
        raise InputError(
            f"'{text}' cannot be part of a file's name", where=f"{{{name}}}", hint=hint
        )
    return text


def _value(name: str, merge: Named) -> Value:
    if name in merge.values:
        return merge.values[name]
    last = merge.recipe.stages[-1]
    own = {
        "name": merge.title,
        "method": last.method,
        "base": stem(last.base) if last.base else "none",
        "models": "+".join(ref.name for ref in last.models),
        "seed": merge.recipe.seed,
        "id": recipe_id(merge.recipe)[:8],
    }
    return own[name] if name in own else _parameter(name.removeprefix("parameters."), merge)


def _parameter(name: str, merge: Named) -> Scalar:
    """A value of the last stage: what is set there, of the model or of all, else the default."""
    last = merge.recipe.stages[-1]
    found = _OF_MODEL.fullmatch(name)
    bare = found["name"] if found else name
    params = {one.name: one for one in manifest()[last.method].params}
    if bare not in params:
        known = [*_OWN, *merge.values, *params]
        hint = f"{nearest(name, known)} Known here: {', '.join(dict.fromkeys(known))}."
        what = f"there is no field '{name}' for {merge.title} ({last.method})"
        raise InputError(what, where=f"{{{name}}}", hint=hint.strip())
    setting = last.parameters.get(bare)
    if found:
        own = {ref.name: ref.parameters.get(bare, setting) for ref in last.models}
        own |= {str(place): value for place, value in enumerate(own.values())}
        if found["model"] not in own:
            hint = f"It has: {', '.join(ref.name for ref in last.models)}."
            what = f"{merge.title} has no model '{found['model']}'"
            raise InputError(what, where=f"{{{name}}}", hint=hint)
        setting = own[found["model"]]
    elif any(bare in ref.parameters for ref in last.models):
        hint = f"Ask for one model's: {{{bare}[{last.models[0].name}]}}."
        what = f"every model of {merge.title} has a '{bare}' of its own"
        raise InputError(what, where=f"{{{name}}}", hint=hint)
    return _scalar(setting, params[bare], name, merge)


def _scalar(setting: Setting | None, param: Param, name: str, merge: Named) -> Scalar:
    if not setting:
        return param.default
    first, *more = setting
    value = first.value
    if isinstance(value, Search):
        value = value.init
    if more or first.filter or not isinstance(value, bool | int | float | str):
        hint = "Name it by another field, {id} for example."
        what = f"'{name}' of {merge.title} is not one value, but several by block or filter"
        raise InputError(what, where=f"{{{name}}}", hint=hint)
    return value
