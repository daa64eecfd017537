"""Suggestions: recipes that somebody adds to a study while it is searched.

They wait in the study's folder until the next batch, whose exam they sit beside its candidates. The
engine is not told of them; one that the search could have asked may become the best so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sdmerge import jsonl
from sdmerge.errors import InputError
from sdmerge.evolve.ledger import Ledger, Row
from sdmerge.evolve.ledger.rows import checked
from sdmerge.evolve.run.baselines import Baseline, added
from sdmerge.evolve.run.study import Study
from sdmerge.evolve.space import Space
from sdmerge.recipe import Recipe, parse_recipe, to_yaml

FILE = "suggested.jsonl"


def suggest(
    folder: Path, study: Study, name: str, recipe: Recipe, plan_of: Callable[[Recipe], Any]
) -> Baseline:
    """Add a recipe to the study in `folder`; an InputError for one that cannot be evaluated.

    Whatever it says of grids and searches is left out. `candidate` of the answer is None for a
    recipe that lies outside of what is searched: it is compared with, but cannot win.
    """
    if study.by_hand:
        hint = "Put it into the grid that you vote on."
        raise InputError("is judged by people", where=str(folder), hint=hint)
    plain = replace(recipe, grid={}, evolve={})
    plan_of(plain)
    before = Suggestions(folder, study.space)()
    taken = {one.name for one in (*study.baselines, *before)}
    if name in taken:
        name = next(own for n in range(2, len(taken) + 3) if (own := f"{name}-{n}") not in taken)
    base = str(recipe.folder.resolve()) if recipe.folder is not None else ""
    jsonl.append(folder / FILE, {"name": name, "folder": base, "recipe": to_yaml(plain)})
    return added(study.space, name, plain)


class Suggestions:
    """What was suggested to the study in `folder`, in order; asked again, with what is new."""

    def __init__(self, folder: Path, space: Space) -> None:
        self._path, self._space = folder / FILE, space
        self._read, self._found = jsonl.Read(), list[Baseline]()

    def __call__(self) -> Sequence[Baseline]:
        """All of them; a place in the order never changes."""
        lines, self._read = jsonl.read_on(self._path, self._read)
        self._found += [
            checked(self._baseline, entry, f"{self._path}:{number}") for number, entry in lines
        ]
        return self._found

    def _baseline(self, entry: dict[str, Any]) -> Baseline:
        name, base = str(entry["name"]), str(entry["folder"])
        recipe = parse_recipe(str(entry["recipe"]), name, Path(base) if base else None)
        return added(self._space, name, recipe)


def waiting(ledger: Ledger, found: Sequence[Baseline], generation: int) -> dict[int, Baseline]:
    """By its place, who has not been evaluated before `generation`."""
    earlier = {
        key.slot for key in ledger.rows if key.role == "suggested" and key.generation < generation
    }
    return {slot: one for slot, one in enumerate(found) if slot not in earlier}


def rows_of(ledger: Ledger, generation: int) -> dict[int, list[Row]]:
    """Evaluations of what was suggested, by its place, part by part."""
    found: dict[int, list[Row]] = {}
    for key, row in sorted(ledger.rows.items(), key=lambda item: item[0]):
        if key.role == "suggested" and key.generation == generation:
            found.setdefault(key.slot, []).append(row)
    return found
