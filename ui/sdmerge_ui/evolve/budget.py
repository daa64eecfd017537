"""Budget: the engine, how long it goes on, and how pictures are drawn for it, as forms."""

from __future__ import annotations

from typing import Any

from sdmerge_ui import controls, edits
from sdmerge_ui.edits import stage_of, value_at
from sdmerge_ui.library import LIMITS, NUMBERS, SAMPLING, Param, engines
from sdmerge_ui.texts import Words

_DEFAULT = "cma-es"
_IMAGES = "images_per_prompt"
_ENGINE = "evolve.engine"


def engine_form(words: Words, text: str) -> dict[str, Any]:
    """For the element `form`: which engine, and its own parameters."""
    known = {one.name: one for one in engines() if "votes" not in one.needs}
    given = value_at(stage_of(text), _ENGINE)
    options: dict[str, Any] = given if isinstance(given, dict) else {}
    name = str(options.get("name") or (given if isinstance(given, str) else _DEFAULT))
    choice = Param("engine", "choice", _DEFAULT, "", choices=tuple(known))
    head = {**controls.field(choice, f"{_ENGINE}.name", name), "label": words("goal.engine"),
            "labels": [one.title for one in known.values()]}  # fmt: skip
    spec = known.get(name)
    if spec is None:
        return {"fields": [head]}
    own = [controls.field(one, f"{_ENGINE}.{one.name}", options.get(one.name))
           for one in spec.params]  # fmt: skip
    return {"text": spec.summary, "paper": spec.paper, "details": spec.details,
            "fields": words.helped([head, *own])}  # fmt: skip


def number_form(words: Words, text: str) -> dict[str, Any]:
    """For the element `form`: every number of a search. Limits may be left empty."""
    stage = stage_of(text)
    limited = any(value_at(stage, f"evolve.{name}") is not None for name in LIMITS)
    fields: list[controls.Field] = []
    for name, param in NUMBERS.items():
        address = _address(name)
        value = value_at(stage, address)
        if name not in LIMITS:
            fields.append(controls.field(param, address, value))
            continue
        if value is None and name == LIMITS[0] and not limited:
            value = param.default
        shown = controls.field(Param(name, "text", "", param.doc), address, None)
        fields.append({**shown, "value": "" if value is None else str(value),
                       "placeholder": words("goal.no_limit")})  # fmt: skip
    return {"fields": words.helped(fields)}


def sampler_form(words: Words, text: str) -> dict[str, Any]:
    """For the element `form`: how pictures are drawn; what is left empty suits the model."""
    stage = stage_of(text)
    fields: list[controls.Field] = []
    for name, param in SAMPLING.items():
        address = f"evolve.sampler.{name}"
        value = value_at(stage, address)
        if param.kind in ("int", "float"):
            shown = controls.field(Param(name, "text", "", param.doc), address, None)
            written = "" if value is None or isinstance(value, dict) else str(value)
            fields.append({**shown, "value": written, "placeholder": words("goal.auto")})
        elif param.kind == "choice":
            choice = Param(name, "choice", "", param.doc, choices=("", *param.choices))
            labels = [words("goal.auto"), *param.choices]
            fields.append({**controls.field(choice, address, value), "labels": labels})
        else:
            fields.append(controls.field(param, address, value))
    return {"fields": words.helped(fields)}


def put(text: str, address: str, value: Any) -> str:
    """The draft with a value of these forms; words become numbers where numbers are meant."""
    name = address.rpartition(".")[2]
    if value in ("", None):
        return edits.put(text, address, None)
    if address == f"{_ENGINE}.name":
        return edits.put(text, _ENGINE, {"name": str(value)})
    if address.startswith(f"{_ENGINE}."):
        given = value_at(stage_of(text), _ENGINE)
        own = given if isinstance(given, dict) else {"name": given or _DEFAULT}
        return edits.put(text, _ENGINE, {**own, name: value})
    param = NUMBERS.get(name) if address == _address(name) else None
    if address.startswith("evolve.sampler."):
        param = param or SAMPLING.get(name)
    if param is not None and isinstance(value, str):
        value = param.parse(value)
    return edits.put(text, address, value)


def _address(name: str) -> str:
    return f"evolve.sampler.{name}" if name == _IMAGES else f"evolve.{name}"
