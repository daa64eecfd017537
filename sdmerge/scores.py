"""Scores: functions that say how good a model is, for methods that choose among models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from sdmerge.errors import MethodError

Score = Callable[[Mapping[str, Tensor]], float]
"""Takes a model as float32 tensors by canonical key, read when asked for; more is better."""

_MARK = "sdmerge_score"


def score(function: Score) -> Score:
    """Let recipes name this function, as python:module:function."""
    setattr(function, _MARK, True)
    return function


def find_score(name: str) -> Score:
    """The function that a recipe calls `name`.

    Its module has to be loaded and the function marked as a score: a recipe may come out of any
    file, and must not choose what is run.
    """
    kind, _, rest = name.partition(":")
    module, _, function = rest.partition(":")
    hint = "Mark it with @sdmerge.scores.score, load its file with --plugin, and name it so."
    if kind != "python" or not function:
        what = f"'{name}' is not a score; it should be python:module:function"
        raise MethodError(what, hint=hint)
    loaded = sys.modules.get(module) or sys.modules.get(f"sdmerge_plugin_{module}")
    found: Any = getattr(loaded, function, None)
    if not getattr(found, _MARK, False):
        raise MethodError(f"there is no score '{name}'", hint=hint)
    return found
