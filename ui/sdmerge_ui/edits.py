"""Edits: what the controls do to the last stage of a recipe, as functions of its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sdmerge_ui.library import documents, manifest, rewritten

Stage = dict[str, Any]


def stage_of(text: str) -> Stage:
    """The last document of a recipe, which is the one that is edited."""
    found = documents(text)
    return found[-1] if found else {}


def put(text: str, address: str, value: Any) -> str:
    """The recipe with a value at an address, as `--set` has it; None takes it away."""
    if value is None:
        return _changed(text, lambda stage: remove(stage, address))
    return _changed(text, lambda stage: _place(stage, address, value))


def add(text: str, name: str) -> str:
    """The recipe with another model."""

    def change(stage: Stage) -> None:
        stage["models"] = [*_models(stage), {"model": name}]

    return _changed(text, change)


def use_as_base(text: str, name: str | None) -> str:
    """The recipe with another base_model, or with none; a model of that name is one no more."""

    def change(stage: Stage) -> None:
        before = stage.pop("base_model", None)
        stage["models"] = [one for one in _models(stage) if one.get("model") != name]
        if before and name and before != name:
            stage["models"].insert(0, {"model": before})
        if name:
            _insert_base(stage, name)

    return _changed(text, change)


def drop(text: str, place: int) -> str:
    """The recipe without a model."""

    def change(stage: Stage) -> None:
        del stage["models"][place]

    return _changed(text, change)


def move(text: str, place: int, to: int) -> str:
    """The recipe with a model in another place."""

    def change(stage: Stage) -> None:
        models = stage["models"]
        models.insert(max(0, min(to, len(models) - 1)), models.pop(place))

    return _changed(text, change)


def use_method(text: str, name: str) -> str:
    """The recipe with another method; parameters that it does not have are taken away."""
    known = {param.name for param in manifest()[name].params}

    def change(stage: Stage) -> None:
        stage["merge_method"] = name
        for owner in [stage, *_models(stage)]:
            left = {key: one for key, one in owner.get("parameters", {}).items() if key in known}
            owner["parameters"] = left
            if not left:
                del owner["parameters"]

    return _changed(text, change)


def remove(stage: Stage, address: str) -> None:
    """Take away what is at `parameters.t` or `models[0].parameters.t`, and mappings left empty."""
    owner, _, name = address.rpartition(".")
    found = _reach(stage, owner)
    if isinstance(found, dict):
        found.pop(name, None)
        if not found and owner:
            remove(stage, owner)


def value_at(stage: Stage, address: str) -> Any:
    """What is at an address; None if nothing is."""
    owner, _, name = address.rpartition(".")
    found = _reach(stage, owner)
    return found.get(name) if isinstance(found, Mapping) else None


def _changed(text: str, change: Callable[[Stage], None]) -> str:
    data = documents(text) or [{}]
    change(data[-1])
    return rewritten(text, data)


def _models(stage: Stage) -> list[dict[str, Any]]:
    return [one for one in stage.get("models") or [] if isinstance(one, dict)]


def _insert_base(stage: Stage, name: str) -> None:
    """Where people write it: behind the method."""
    rest = {key: stage.pop(key) for key in list(stage) if key not in ("name", "merge_method")}
    stage["base_model"] = name
    stage.update(rest)


def _reach(stage: Stage, address: str) -> Any:
    found: Any = stage
    for step in filter(None, address.split(".")):
        name, _, index = step.partition("[")
        found = found.get(name) if isinstance(found, dict) else None
        if index:
            place = int(index.rstrip("]"))
            found = found[place] if isinstance(found, list) and place < len(found) else None
    return found


def _place(stage: Stage, address: str, value: Any) -> None:
    owner, _, name = address.rpartition(".")
    found = _reach(stage, owner)
    if found is None:
        _place(stage, owner, {name: value})
    else:
        found[name] = value
