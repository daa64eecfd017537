"""Controls: forms made of Params, as data for the elements `form` and `ingredients`.

A field edits the value at an address of the recipe. It has a slider where its Param has a range,
over the whole of its limits if the value lies outside of the range that one is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sdmerge_ui.edits import Stage, value_at
from sdmerge_ui.library import MethodSpec, Param

Field = dict[str, Any]
_NUMBERS = ("float", "int")


def field(param: Param, address: str, value: Any, *, ends: Sequence[str] = ()) -> Field:
    """A control of one value. What is no scalar (a curve, rules) is shown as set elsewhere."""
    is_plain = value is None or not isinstance(value, dict | list)
    found: Field = {
        "address": address,
        "name": param.name,
        "kind": param.kind,
        "help": param.doc,
        "default": param.default,
        "value": param.default if value is None or not is_plain else value,
        "given": value is not None,
        "curve": not is_plain,
        "choices": list(param.choices),
        "ends": list(ends),
    }
    if param.range is not None:
        low, high = _span(param, found["value"])
        whole = param.kind == "int"
        step = param.range.step or (1 if whole else _step(low, high))
        found |= {"low": low, "high": high, "step": step, "limits": list(param.range.allowed)}
    return found


def form(spec: MethodSpec, stage: Stage, labels: Sequence[str]) -> list[Field]:
    """The parameters that all models share; `labels` name the ends of a slider from A to B."""
    ends = [labels[0], labels[1]] if len(labels) >= 2 else []
    return [
        field(
            param, f"parameters.{param.name}", value_at(stage, f"parameters.{param.name}"),
            ends=ends if param.a_to_b else (),
        )
        for param in spec.params
        if not param.per_model
    ]  # fmt: skip


def model_fields(spec: MethodSpec, stage: Stage, place: int) -> list[Field]:
    """The parameters of one model: its own value, else that of all."""
    return [
        field(param, address, own if own is not None else shared)
        for param in spec.params
        if param.per_model and param.kind in _NUMBERS
        for address in [f"models[{place}].parameters.{param.name}"]
        for own in [value_at(stage, address)]
        for shared in [value_at(stage, f"parameters.{param.name}")]
    ]


def curves(spec: MethodSpec, labels: Sequence[str]) -> list[Mapping[str, str]]:
    """What can have a value per block: an address and a name for each."""
    shared = [
        {"address": f"parameters.{param.name}", "name": param.name}
        for param in spec.params
        if param.kind in _NUMBERS and not param.per_model
    ]
    own = [
        {"address": f"models[{place}].parameters.{param.name}", "name": f"{param.name} · {label}"}
        for place, label in enumerate(labels)
        for param in spec.params
        if param.kind in _NUMBERS and param.per_model
    ]
    return [*shared, *own]


def _span(param: Param, value: Any) -> tuple[float, float]:
    assert param.range is not None
    low, high = param.range.low, param.range.high
    outside = isinstance(value, int | float) and not low <= value <= high
    return param.range.allowed if outside else (low, high)


def _step(low: float, high: float) -> float:
    return 0.01 if high - low <= 4 else 0.05 if high - low <= 20 else 1.0
