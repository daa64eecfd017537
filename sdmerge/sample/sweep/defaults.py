"""Defaults: what a recipe's `grid: {x: …, y: …, seeds: 2, steps: 8}` says of grids of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdmerge.errors import RecipeError, nearest
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe
from sdmerge.sample.settings import SAMPLING, check_setting

AXES = ("x", "y", "z")
_KEYS = (*AXES, "seed", "seeds", *SAMPLING)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the command line need not say; `axes` by x, y and z."""

    axes: Mapping[str, str] = field(default_factory=dict[str, str])
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    seed: int = 0
    seeds: int = 1


def read_defaults(recipe: Recipe) -> Defaults:
    """The defaults of `recipe`; unknown words and values out of their limits are errors."""
    data, where = recipe.grid, f"{recipe.where}: grid"
    for key in data:
        if key not in _KEYS:
            hint = f"{nearest(key, _KEYS)} It takes: {', '.join(_KEYS)}.".strip()
            raise RecipeError(f"has no key '{key}'", where=where, hint=hint)
    for key in AXES:
        if key in data and not isinstance(data[key], str):
            hint = f"For example {key}: 'parameters.t=0:1:0.25'."
            raise RecipeError(f"{key} should be a text", where=where, hint=hint)
    return Defaults(
        {key: data[key] for key in AXES if key in data},
        {key: check_setting(key, data[key]) for key in SAMPLING if key in data},
        _whole(data, "seed", 0, where),
        max(1, _whole(data, "seeds", 1, where)),
    )


def _whole(data: Mapping[str, Any], key: str, default: int, where: str) -> int:
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RecipeError(f"{key} should be a whole number from 0 on", where=where)
    return value
