"""More: a grid that is there with more values; what is drawn already is not drawn again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdmerge_ui.compare.axes import PLACES
from sdmerge_ui.grids import find_grid
from sdmerge_ui.library import InputError, Job
from sdmerge_ui.place import Place

_ONE = "grid"


def drawer_of(place: Place, name: str) -> Job:
    """The job that first drew a grid; an InputError if none of this workspace did."""
    folder = find_grid(place, name)
    for job in place.jobs.all():
        if job.kind == _ONE and folder.parent == job.run:
            return job
    hint = "`sdmerge grid` with its command line and more values draws on."
    raise InputError("this grid was not drawn from here", where=name, hint=hint)


def asked_of(place: Place, name: str) -> tuple[str, dict[str, Any]]:
    """The recipe of a grid, and what the form of axes held when it was asked for; never twice the
    same, so that the form takes it each time.
    """
    job = last_of(place, name)
    words = list(place.jobs.asked(job.number).arguments)
    first = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    given = dict(zip(words[first::2], words[first + 1 :: 2], strict=False))
    text = job.recipe.read_text("utf-8") if job.recipe.is_file() else ""
    return text, {
        "axes": {one: _axis(given[f"--{one}"]) for one in PLACES if f"--{one}" in given},
        "prompts": _lines(Path(given["-p"].removeprefix("@"))),
        "seed": int(given.get("--seed", 0)), "seeds": int(given.get("--seeds", 1)),
        "steps": int(given.get("--steps", 0)),
        "models": _names(place, words[1:first]), "into": name, "at": time.time(),
    }  # fmt: skip


def last_of(place: Place, name: str) -> Job:
    """The job that drew a grid last, from the start or with more values."""
    folder, first = str(find_grid(place, name)), drawer_of(place, name)
    later = [
        job for job in place.jobs.all()
        if job.kind == _ONE and job.number > first.number
        and folder in place.jobs.asked(job.number).arguments
    ]  # fmt: skip
    return later[-1] if later else first


def _axis(given: str) -> dict[str, str]:
    what, _, values = given.partition("=")
    return {"what": what, "values": values}


def _lines(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        hint = "Draw a new grid, or take them from the labels of this one."
        raise InputError("its prompts are not kept any more", where=str(path), hint=hint) from None


def _names(place: Place, paths: Sequence[str]) -> list[str]:
    """What the form calls these models and recipes."""
    known = {str(one.path): one.name for one in place.inventory.entries()}
    known |= {str(place.workspace.recipes / one): one for one in place.recipe_names()}
    return [known[path] for path in paths if path in known]
