"""Dice: every number of a method thrown at random, within what its slider shows."""

# what YAML holds is of any type
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from sdmerge.errors import RecipeError
from sdmerge.manifest import manifest
from sdmerge.params import Param

Stage = Mapping[str, Any]


def rolled(stage: Stage, seed: int) -> dict[str, Any]:
    """Values by their addresses for a stage, as plain data; the same seed throws the same.

    Fractions only: counts and words stay. Where a value is given per block or the like, each of its
    groups gets one.
    """
    name = stage.get("merge_method")
    if not isinstance(name, str) or name not in manifest():
        raise RecipeError("there is no method to throw dice for", hint="Choose a merge_method.")
    dice = random.Random(seed)
    params = [one for one in manifest()[name].params if one.kind == "float" and one.range]
    return {
        address: _thrown(param, before, dice)
        for param in params
        for address, before in _places(param, stage)
    }


def _places(param: Param, stage: Stage) -> Iterator[tuple[str, Any]]:
    """Where a parameter stands, and what is there."""
    if not param.per_model:
        yield f"parameters.{param.name}", _at(stage, param.name)
        return
    for place, model in enumerate(stage.get("models") or []):
        yield f"models[{place}].parameters.{param.name}", _at(model, param.name)


def _at(owner: Any, name: str) -> Any:
    """The parameter that a stage or a model gives, if it does."""
    found = owner.get("parameters") if isinstance(owner, Mapping) else None
    return found.get(name) if isinstance(found, Mapping) else None


def _thrown(param: Param, before: Any, dice: random.Random) -> Any:
    assert param.range is not None
    low, high = param.range.low, param.range.high

    digits = max(2, 2 - math.floor(math.log10(high - low)))

    def one() -> float:
        return min(high, max(low, round(dice.uniform(low, high), digits)))

    groups: Any = before.get("values") if isinstance(before, Mapping) else None
    if isinstance(groups, Mapping):
        return {**before, "values": {label: one() for label in groups}}
    return one()
