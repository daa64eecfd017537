"""Baselines: what a search has to beat, as recipes: parents, their average, task arithmetic.

They use no search: λ of task arithmetic is tried at a few values, all models alike. Components that
the recipe takes whole, LoRAs that it applies and its other stages are as the recipe has them, so
that what is compared is the weights alone; a parent also stands alone, as its file is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sdmerge.errors import InputError
from sdmerge.evolve.genes import Candidate
from sdmerge.evolve.space.space import Space
from sdmerge.manifest import manifest
from sdmerge.recipe import Applied, Grouped, ModelRef, Output, Recipe, Rule, Setting, Stage
from sdmerge.recipe.aliases import stem

LAMBDAS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
_SUMS = ("linear", "task_arithmetic")
"""Methods whose result is a sum of the models with their weights, and nothing else."""
_WEIGHT = "weight"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A recipe to be beaten, and the candidate that it is, if the space has one."""

    name: str
    recipe: Recipe
    candidate: Candidate | None = None


def parents(space: Space) -> list[Baseline]:
    """Each model as it is, a LoRA on its base; and with the recipe's components, if it has any.

    A LoRA on what an earlier stage makes has no base of its own and is left out.
    """
    found: dict[str, Baseline] = {}
    stages = {stage.name for stage in space.recipe.stages}
    for stage in space.recipe.stages:
        base = [(stem(stage.base), stage.base)] if stage.base else []
        for name, path in [*base, *((ref.name, ref.path) for ref in stage.models)]:
            on = stage.base if path in space.loras else None
            free = on is None and path in space.loras
            if path not in stages and on not in stages and not free:
                found.setdefault(path, Baseline(name, _alone(space.recipe, path, on)))
    inside = {name: _weighted(space, _one(space, name)) for name in _names(space)}
    paths = {ref.path: ref.name for ref in _widest(space.recipe).models if ref.name in inside}
    if _plain(space.recipe):
        return [
            replace(one, candidate=inside[paths[path]].candidate) if path in paths else one
            for path, one in found.items()
        ]
    rows = [replace(one, name=f"{name} in the recipe") for name, one in inside.items()]
    return [*found.values(), *rows]


def soup(space: Space) -> Baseline:
    """The average of the models: base + Σ Δᵢ / n, or Σ θᵢ / n where there is no base.

    Wortsman et al., "Model soups", 2022: the uniform soup.
    """
    names = _names(space)
    return replace(_weighted(space, dict.fromkeys(names, 1 / len(names))), name="uniform soup")


def sweep(space: Space, lambdas: Sequence[float] = LAMBDAS) -> list[Baseline]:
    """Task arithmetic with one λ for all models; none where there is no base."""
    if _widest(space.recipe).base is None:
        return []
    return [
        replace(
            _weighted(space, dict.fromkeys(_names(space), one), "task_arithmetic"),
            name=f"task arithmetic λ={one:g}",
        )
        for one in lambdas
    ]


def _alone(recipe: Recipe, path: str, base: str | None) -> Recipe:
    """A model as it is, or a LoRA at full strength on its base."""
    model = ModelRef(base or path, stem(base or path))
    stage = Stage("passthrough", (model,), apply=(Applied(path),) if base else ())
    output = Output(dtype=recipe.output.dtype)
    return Recipe((stage,), output, recipe.seed, folder=recipe.folder, where=recipe.where)


def _plain(recipe: Recipe) -> bool:
    """Whether weights are all that there is to the recipe."""
    (first, *more) = recipe.stages
    return not (more or first.components or first.apply)


def _widest(recipe: Recipe) -> Stage:
    """The stage in which most models come together: there they are weighed."""
    return max(recipe.stages, key=lambda stage: len(stage.models))


def _names(space: Space) -> list[str]:
    """The models with a weight: a base among them has none where differences are summed."""
    stage = _widest(space.recipe)
    every = stage.method == "linear"
    return [ref.name for ref in stage.models if every or ref.path != stage.base]


def _one(space: Space, name: str) -> dict[str, float]:
    return {other: float(other == name) for other in _names(space)}


def _weighted(space: Space, weights: Mapping[str, float], method: str = "") -> Baseline:
    """The sum of the models with these weights, the rest as where the search starts."""
    start = space.fill(space.init)
    old = _widest(start)
    method = method or (old.method if old.method in _SUMS else _SUMS[old.base is not None])
    stage = _summed(old, weights, method)
    stages = tuple(stage if one is old else one for one in start.stages)
    recipe = replace(start, stages=stages)
    try:
        return Baseline("", recipe, space.candidate_of(recipe))
    except InputError:
        return Baseline("", recipe)


def _summed(stage: Stage, weights: Mapping[str, float], method: str) -> Stage:
    shared = stage.parameters.get(_WEIGHT)
    models = tuple(
        replace(ref, parameters=_own(ref.parameters.get(_WEIGHT), weights[ref.name], shared))
        if ref.name in weights
        else replace(ref, parameters={})
        for ref in stage.models
    )
    same = set(weights.values())
    parameters: dict[str, Setting] = {}
    if method == stage.method:  # what the recipe says of the sum itself, at its plain value
        spec = manifest()[method]
        for name, setting in stage.parameters.items():
            parameters[name] = _filled(setting, spec.param(name).default)
    if shared:
        every = {ref.name: weights.get(ref.name, 0.0) for ref in stage.models}
        value = Grouped("model", every) if len(same) > 1 else same.pop()
        parameters[_WEIGHT] = _whole(_filled(shared, value), value)
    return replace(stage, method=method, models=models, parameters=parameters)


def _own(setting: Setting | None, weight: float, shared: Setting | None) -> dict[str, Setting]:
    if setting is None:
        return {} if shared else {_WEIGHT: (Rule(weight),)}
    return {_WEIGHT: _whole(_filled(setting, weight), weight)}


def _filled(setting: Setting, value: bool | float | str | Grouped) -> Setting:
    """The same rules, all with one value."""
    return tuple(replace(rule, value=value) for rule in setting)


def _whole(setting: Setting, value: float | Grouped) -> Setting:
    """The rules, and one for all tensors that they leave."""
    return setting if setting[-1].filter is None else (*setting, Rule(value))
