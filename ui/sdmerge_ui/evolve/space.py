"""Space: which values of the draft are searched, as rows of the element `space`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from sdmerge_ui.edits import value_at
from sdmerge_ui.library import GROUPINGS, MethodSpec, Param
from sdmerge_ui.merge.view import View

GROUPS = ("", *GROUPINGS)
_KINDS = ("float", "int", "choice", "bool")


def rows(view: View) -> list[dict[str, Any]]:
    """A row for each parameter that can be searched, marked or not."""
    if view.spec is None:
        return []
    return [_row(param, address, label, view) for param, address, label in _places(view.spec, view)]


def _places(spec: MethodSpec, view: View) -> Iterator[tuple[Param, str, str]]:
    for param in spec.params:
        if param.kind not in _KINDS:
            continue
        if not param.per_model:
            yield param, f"parameters.{param.name}", param.name
            continue
        for place, name in enumerate(view.labels):
            label = f"{param.name} · {PurePath(name).stem}"
            yield param, f"models[{place}].parameters.{param.name}", label


def _row(param: Param, address: str, label: str, view: View) -> dict[str, Any]:
    own = value_at(view.stage, address)
    value = own if own is not None else value_at(view.stage, f"parameters.{param.name}")
    mark = value if isinstance(value, dict) and "search" in value else None
    start = value if isinstance(value, bool | int | float | str) else param.default
    found: dict[str, Any] = {
        "address": address, "label": label, "kind": param.kind, "help": param.doc,
        "on": mark is not None, "value": mark.get("init", start) if mark else start,
        "other": isinstance(value, dict | list) and mark is None,
        "per": (mark or {}).get("per", ""), "mark": mark,
    }  # fmt: skip
    if param.kind in ("choice", "bool"):
        every = list(param.choices) if param.kind == "choice" else [False, True]
        return {**found, "choices": every}
    low, high = (param.range.low, param.range.high) if param.range else (0.0, 1.0)
    limits = param.range.allowed if param.range else (None, None)
    if mark:
        low, high = mark["search"]
    return {**found, "low": low, "high": high, "limits": limits}
