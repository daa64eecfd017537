"""The winner: chosen on validation, written as a recipe that people read and edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from sdmerge.errors import InputError
from sdmerge.evolve.export.history import History, Validation
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe, to_yaml
from sdmerge.scoring.statistics import estimate, table


def choose(history: History) -> Validation:
    """The incumbent or centre with the best mean on validation by the judge; of equals the later.

    Without any validation the last incumbent, with no scores. An InputError if there is none.
    """
    found = [one for one in history.validations if one.kind in ("incumbent", "centre")]
    if found:
        sign = -1 if history.judge in history.lower else 1
        return max(
            found,
            key=lambda one: (sign * float(np.mean(one.scores[history.judge])), one.generation),
        )
    if not history.incumbents:
        hint = "Let the search finish a generation, with --resume."
        raise InputError("has no winner yet", where=history.name, hint=hint)
    last = history.incumbents[-1]
    return Validation(last.generation, "incumbent", {}, last.candidate, last.number)


def winner_text(
    recipe: Recipe, chosen: Validation, history: History, sampling: Mapping[str, Scalar]
) -> str:
    """The recipe as YAML, with comments that say where it comes from and how it is drawn."""
    plain = replace(recipe, grid={}, evolve={})
    return f"{comments(_origin(chosen, history, sampling))}\n{to_yaml(plain)}"


def _origin(chosen: Validation, history: History, sampling: Mapping[str, Scalar]) -> list[str]:
    what = f"Trial {chosen.trial}" if chosen.trial is not None else "A recipe that was added"
    if chosen.kind == "centre":
        what = "The centre of the distribution"
    searched = (
        f"Searched by {history.engine}, seed {history.seed}, {len(history.searched)} trials, "
        f"{len(history.genes)} genes, for {', '.join(history.objectives)}."
    )
    lines = [
        f"{what} after generation {chosen.generation} of {history.name}.",
        searched,
        *_choice(chosen, history.judge),
    ]
    if sampling:
        lines.append(f"Drawn with {', '.join(f'{name} {one}' for name, one in sampling.items())}.")
    return [*lines, "What was searched:", *(f"  {gene}" for gene in _genes(chosen))]


def _choice(chosen: Validation, judge: str) -> list[str]:
    if not chosen.scores:
        return ["The last incumbent: nothing was validated, so nothing is known beyond the search."]
    found = estimate(table(chosen.scores[judge]))
    said = f"{found.mean:.4g}"
    if found.prompts > 1:
        said += f" ({found.low:.4g} … {found.high:.4g})"
    return [
        f"Chosen by {judge} on {found.prompts} validation prompts: {said}.",
        "That number is of the best of several, so it flatters; believe the test.",
    ]


def _genes(chosen: Validation) -> list[str]:
    return [
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in chosen.candidate.items()
    ]


def comments(lines: Sequence[str]) -> str:
    """The lines as YAML comments; a line end within one starts no line of YAML."""
    return "\n".join(f"# {' '.join(line.splitlines())}".rstrip() for line in lines)
