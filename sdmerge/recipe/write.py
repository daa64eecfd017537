"""A recipe as plain data, as YAML and as an id: the hash of its canonical form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml

from sdmerge.params import Scalar
from sdmerge.recipe.model import (
    Applied,
    ComponentRule,
    Gradient,
    Grouped,
    Lbw,
    Mbw,
    ModelRef,
    Output,
    Preset,
    Recipe,
    Rule,
    Search,
    Setting,
    Stage,
    Value,
)
from sdmerge.recipe.nodes import Dumper


def to_data(recipe: Recipe) -> list[dict[str, Any]]:
    """One mapping per stage, in the recipe language; reading it back gives an equal recipe."""
    stages = [_stage(stage) for stage in recipe.stages]
    last = stages[-1]
    if output := _output(recipe.output):
        last["output"] = output
    if recipe.output.dtype:
        last["dtype"] = recipe.output.dtype
    if recipe.seed:
        last["seed"] = recipe.seed
    if recipe.grid:
        last["grid"] = dict(recipe.grid)
    if recipe.evolve:
        last["evolve"] = dict(recipe.evolve)
    return stages


def to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML text, stages divided by `---`."""
    return yaml.dump_all(
        to_data(recipe),
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )


def recipe_id(recipe: Recipe) -> str:
    """32 hex digits: equal for recipes that say the same, whatever their layout and comments.

    Grids and searches are left out: they do not change what a merge writes.
    """
    data = to_data(recipe)
    data[-1].pop("grid", None)
    data[-1].pop("evolve", None)
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _stage(stage: Stage) -> dict[str, Any]:
    data: dict[str, Any] = {"name": stage.name} if stage.name else {}
    data["merge_method"] = _marked(stage.method, stage.mark)
    if stage.base is not None:
        data["base_model"] = stage.base
    if stage.layer_ranges:
        data["slices"] = [{"sources": _sources(stage)}]
    else:
        data["models"] = [_model(ref) for ref in stage.models]
    if stage.parameters:
        data["parameters"] = _parameters(stage.parameters)
    if stage.components:
        data["components"] = {name: _component(rule) for name, rule in stage.components.items()}
    if stage.apply:
        data["apply"] = [_applied(one) for one in stage.apply]
    if stage.repeat:
        data["repeat"] = dict(stage.repeat)
    return data


def _output(output: Output) -> dict[str, Any]:
    layout = {"layout": output.layout, **output.lora} if output.layout else {}
    rounding = {"rounding": output.rounding} if output.rounding != "nearest" else {}
    removal = {"remove_below": output.remove_below} if output.remove_below else {}
    pruned = {"prune": True} if output.prune else {}
    return {**layout, **rounding, **removal, **pruned}


def _sources(stage: Stage) -> list[dict[str, Any]]:
    ranges = {model: [low, high] for model, low, high in stage.layer_ranges}
    return [
        {key: value for key, value in _model(ref).items() if key != "name"}
        | ({"layer_range": ranges[ref.path]} if ref.path in ranges else {})
        for ref in stage.models
    ]


def _applied(one: Applied) -> str | dict[str, Any]:
    if one.weight == 1 and one.mark is None:
        return one.path
    return {"model": one.path, "weight": _marked(one.weight, one.mark)}


def _model(ref: ModelRef) -> dict[str, Any]:
    data: dict[str, Any] = {"model": ref.path}
    if ref.named:
        data["name"] = ref.name
    if ref.parameters:
        data["parameters"] = _parameters(ref.parameters)
    return data


def _component(rule: ComponentRule) -> dict[str, Any]:
    if rule.take is not None or rule.config:
        take = {"take": _marked(rule.take, rule.mark)} if rule.take is not None else {}
        return take | ({"set": dict(rule.config)} if rule.config else {})
    data: dict[str, Any] = {"merge_method": _marked(rule.method, rule.mark)}
    if rule.parameters:
        data["parameters"] = _parameters(rule.parameters)
    return data


def _marked(value: Scalar | None, mark: Search | None) -> Any:
    return value if mark is None else _search(mark)


def _parameters(parameters: Mapping[str, Setting]) -> dict[str, Any]:
    return {name: _setting(setting) for name, setting in parameters.items()}


def _setting(setting: Setting) -> Any:
    if len(setting) == 1 and setting[0].filter is None:
        return _value(setting[0].value)
    return [_rule(rule) for rule in setting]


def _rule(rule: Rule) -> dict[str, Any]:
    head = {"filter": rule.filter} if rule.filter is not None else {}
    return {**head, "value": _value(rule.value)}


def _value(value: Value) -> Any:
    return _search(value) if isinstance(value, Search) else _plain(value)


def _plain(value: Value) -> Any:
    match value:
        case Gradient(points):
            return list(points)
        case Mbw(numbers):
            return {"mbw": list(numbers)}
        case Lbw(row, strength):
            extra = {"strength": strength} if strength != 1 else {}
            return {"lbw": row if isinstance(row, str) else list(row), **extra}
        case Preset(name):
            return {"preset": name}
        case Grouped(per, values):
            return {"per": per, "values": dict(values)}
        case _:
            return value


def _search(mark: Search) -> dict[str, Any]:
    options = {name: getattr(mark, name) for name in ("per", "log", "tie", "simplex")}
    return {
        "search": list(mark.choices or (mark.low, mark.high)),
        "init": mark.init,
        **{name: option for name, option in options.items() if option},
    }
