"""Planned: what a draft would do, or why it cannot, and at which control that is."""

from __future__ import annotations

from typing import Any

from sdmerge_ui.library import Plan, SdmergeError, address_of, readable, recipe_id
from sdmerge_ui.merge.view import View
from sdmerge_ui.place import Place
from sdmerge_ui.texts import Words


def planned(place: Place, words: Words, text: str) -> dict[str, Any]:
    """The value of the element `plan`; a mistake with the control that it belongs to."""
    try:
        if not View(place, words, text).names:
            return {"empty": words("plan.empty")}
        return _report(place.plan(text))
    except SdmergeError as error:
        shown = {"what": error.what, "where": error.where, "hint": error.hint}
        address = address_of(text, error.where) if error.where else ""
        return {"error": shown, "errors": {_control(address): error.what} if address else {}}


def _control(address: str) -> str:
    """What shows an error at an address: a model's row, a parameter, or what stands there."""
    if address.startswith("models["):
        return f"{address.partition(']')[0]}]"
    if address.startswith("parameters."):
        return ".".join(address.split(".")[:2])
    return address


def _report(plan: Plan) -> dict[str, Any]:
    report = plan.report
    left = [f"{name}: {len(keys)} tensors play no part" for name, keys in report.left_out.items()]
    filters = [
        f"{one.name} {one.filter}: {one.count} tensors"
        for one in report.filters
        if one.filter != "*"
    ]
    return {
        "id": recipe_id(plan.recipe)[:8],
        "kind": f"{report.family} {report.variant}".strip(),
        "merged": report.merged,
        "copied": report.copied,
        "reads": readable(report.read_bytes),
        "writes": readable(report.write_bytes),
        "peak": readable(report.peak_bytes),
        "components": [
            {"name": one.name, "tensors": one.tensors, "merged": one.merged, "how": one.how}
            for one in report.components
        ],
        "notes": [*report.notes, *filters, *left],
    }
