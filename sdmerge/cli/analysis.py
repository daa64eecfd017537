"""`sdmerge plan --analyse`: what the models' tensors say, as a table, a picture and data."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdmerge.cli.output import Output
from sdmerge.recipe import Recipe

if TYPE_CHECKING:
    from sdmerge.analysis import Interference, Measures, Suggestion
    from sdmerge.plan import Plan


def comparison_of(recipe: Recipe) -> Recipe:
    """The recipe that is planned for the analysis."""
    from sdmerge.analysis import comparison

    return comparison(recipe)


def analyse(output: Output, plan: Plan, picture: Path | None) -> dict[str, Any]:
    """Read, print and draw; the analysis as plain data."""
    from sdmerge.analysis import measure, suggest

    with output.progress("analysing") as advance:
        found = measure(plan, progress=advance)
    suggestion = suggest(found)
    _print(output, found, suggestion)
    data = _data(found, suggestion)
    if picture is not None:
        _draw(found, suggestion, plan, picture)
        data["plot"] = str(picture)
        output.text(f"drew {picture}")
    return data


def _data(found: Interference, suggestion: Suggestion) -> dict[str, Any]:
    return {
        "models": list(found.names),
        "compared": "differences from the base" if found.based else "weights",
        "blocks": {name: _numbers(found, one) for name, one in found.blocks.items()},
        "all": _numbers(found, found.whole),
        "suggestion": dataclasses.asdict(suggestion),
    }


def _numbers(found: Interference, one: Measures) -> Mapping[str, Any]:
    pairs = itertools.combinations(found.names, 2)
    return {
        "tensors": one.tensors,
        "elements": one.elements,
        "sign_conflict": one.conflict,
        "sign_conflict_by_size": one.weighted,
        "cancelled": one.cancelled,
        "cosine": [
            {"models": pair, "cosine": cosine}
            for pair, cosine in zip(pairs, one.cosines, strict=True)
        ],
        "norm": dict(zip(found.names, one.norms, strict=True)),
        "relative_norm": dict(zip(found.names, one.relative, strict=True)),
    }


def _print(output: Output, found: Interference, suggestion: Suggestion) -> None:
    from sdmerge.analysis import columns, legend

    shown = columns(found)
    rows = [*found.blocks, "all"]
    output.table(
        "",
        ("block", *(column.title for column in shown)),
        [(name, *(column.text(row) for column in shown)) for row, name in enumerate(rows)],
    )
    for line in [*legend(found), *_words(suggestion)]:
        output.text(line)


def _words(suggestion: Suggestion) -> list[str]:
    values = ", ".join(f"{name}: {value}" for name, value in suggestion.parameters.items())
    also = f" Compare with {' and '.join(suggestion.also)}." if suggestion.also else ""
    said = f"suggestion: merge_method: {suggestion.method}, {values}, because {suggestion.reason}."
    return [said + also, *(f"note: {note}" for note in suggestion.notes)]


def _draw(found: Interference, suggestion: Suggestion, plan: Plan, picture: Path) -> None:
    from sdmerge.analysis import columns, heatmap, legend
    from sdmerge.sample.sheet import save

    base = plan.recipe.stages[-1].base
    against = f" against {Path(base).stem}" if base is not None else ""
    title = f"{', '.join(found.names)}{against}, block by block"
    words = [*legend(found), *_words(suggestion)]
    save(heatmap(columns(found), [*found.blocks, "all"], title, words), picture)
