"""Cleaning: models that their recipes can make again: what they take up, and away with them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sdmerge_ui.library import Removable, readable, removable, remove
from sdmerge_ui.place import Place
from sdmerge_ui.texts import Words


def offered(place: Place, words: Words) -> dict[str, Any]:
    """What could go, to be asked about first."""
    found = _found(place)
    total = sum(one.nbytes for one in found)
    text = (
        words("runs.clean_ask", count=len(found), size=readable(total))
        if found
        else words("runs.clean_none")
    )
    rows = [
        {"number": one.job.number, "path": str(one.path), "size": readable(one.nbytes)}
        for one in found
    ]
    return {"text": text, "models": rows}


def cleaned(place: Place, words: Words, numbers: Collection[int]) -> dict[str, Any]:
    """Remove the models of these runs, as far as they still may go."""
    going = [one for one in _found(place) if one.job.number in numbers]
    for one in going:
        remove(one)
    size = readable(sum(one.nbytes for one in going))
    return {"text": words("runs.cleaned", count=len(going), size=size), "models": []}


def _found(place: Place) -> list[Removable]:
    return removable(place.jobs.all(), place.workspace)
