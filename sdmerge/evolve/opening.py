"""Opening: studies with every engine and scorer there is, those of plug-ins included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sdmerge.evolve.engine.spec import EngineSpec
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.run.study import Added, Study, reopen, study_of
from sdmerge.recipe import Recipe
from sdmerge.scorers import SCORERS

PlanOf = Callable[[Recipe], Any]


def engines() -> tuple[EngineSpec, ...]:
    """Every engine, in the order of their names."""
    return tuple(ENGINES[name] for name in sorted(ENGINES))


def study_from(recipe: Recipe, plan_of: PlanOf, own: Added | None = None) -> Study:
    """The study that a recipe asks for; see `study_of`."""
    return study_of(recipe, ENGINES, SCORERS, plan_of, own=own)


def study_in(folder: Path, plan_of: PlanOf) -> Study:
    """The study in a folder; see `reopen`."""
    return reopen(folder, ENGINES, SCORERS, plan_of)
