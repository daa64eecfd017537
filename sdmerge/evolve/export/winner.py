"""The winner: chosen on validation, written as a recipe that people read and edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sdmerge.errors import InputError
from sdmerge.evolve.export.history import History, Validation
from sdmerge.recipe import Recipe, to_yaml
from sdmerge.scoring.statistics import estimate, table


def choose(history: History) -> Validation:
    """The incumbent or centre with the best mean on validation by the judge; of equals the first.

    An InputError if nothing was validated.
    """
    found = [one for one in history.validations if one.kind in ("incumbent", "centre")]
    if not found:
        hint = "Let the search go on until its first validation, with --resume."
        raise InputError("nothing was validated yet", where=history.name, hint=hint)
    sign = -1 if history.judge in history.lower else 1
    return max(found, key=lambda one: sign * float(np.mean(one.scores[history.judge])))


def winner_text(recipe: Recipe, chosen: Validation, history: History) -> str:
    """The recipe as YAML, with comments that say where it comes from."""
    plain = replace(recipe, grid={}, evolve={})
    return f"{comments(_origin(chosen, history))}\n{to_yaml(plain)}"


def _origin(chosen: Validation, history: History) -> list[str]:
    trials = len(history.searched)
    found = estimate(table(chosen.scores[history.judge]))
    said = f"{found.mean:.4g}"
    if found.prompts > 1:
        said += f" ({found.low:.4g} … {found.high:.4g})"
    what = "The centre of the distribution" if chosen.kind == "centre" else f"Trial {chosen.trial}"
    lines = [
        f"{what} after generation {chosen.generation} of {history.name}.",
        f"Searched by {history.engine}, seed {history.seed}, {trials} trials, "
        f"{len(history.genes)} genes, for {', '.join(history.fitness)}.",
        f"Chosen by {history.judge} on {found.prompts} validation prompts: {said}.",
        "That number is of the best of several, so it flatters; believe the test.",
    ]
    return [*lines, "What was searched:", *(f"  {gene}" for gene in _genes(chosen))]


def _genes(chosen: Validation) -> list[str]:
    return [
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in chosen.candidate.items()
    ]


def comments(lines: Sequence[str]) -> str:
    """The lines as YAML comments; a line end within one starts no line of YAML."""
    return "\n".join(f"# {' '.join(line.splitlines())}".rstrip() for line in lines)
