"""A recipe as seen from another folder: its files are found from there too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sdmerge.plan import Plan
from sdmerge.recipe import Recipe
from sdmerge.recipe.model import Stage
from sdmerge.sinks.provenance import portable


def placed(plan: Plan, folder: Path) -> Recipe:
    """The plan's recipe with the paths of its files as seen from `folder`, and lines for texts.

    A path to another drive, which cannot be seen from there, loses all but its name.
    """
    paths = {one.written: str(one.path) for one in plan.inputs}
    stages = tuple(_absolute(stage, paths) for stage in plan.recipe.stages)
    known = replace(plan.recipe, stages=stages)
    return replace(portable(known, plan.texts, folder), folder=folder)


def _absolute(stage: Stage, paths: Mapping[str, str]) -> Stage:
    names = {ref.name for ref in stage.models} | {"base"}
    rules = {
        name: rule
        if rule.take is None or rule.take in names
        else replace(rule, take=paths.get(rule.take, rule.take))
        for name, rule in stage.components.items()
    }
    return replace(
        stage,
        base=paths.get(stage.base, stage.base) if stage.base else None,
        # a name that was the file's stem stays, for rules that call the model so
        models=tuple(
            replace(ref, path=paths.get(ref.path, ref.path), named=True) for ref in stage.models
        ),
        apply=tuple(replace(one, path=paths.get(one.path, one.path)) for one in stage.apply),
        components=rules,
        layer_ranges=tuple(
            (paths.get(path, path), low, high) for path, low, high in stage.layer_ranges
        ),
    )
