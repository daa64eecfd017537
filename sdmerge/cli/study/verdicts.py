"""What a test says, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sdmerge.cli.output import Output


def test_data(history: Any) -> dict[str, Any]:
    """The test as data: means, differences, sentences; without a test the sentences alone."""
    from sdmerge.evolve.export.report.words import plain
    from sdmerge.evolve.export.verdict import table_of, verdicts

    test = history.test
    found = None if test is None else table_of(test, history.lower)
    said = [plain(one.key, **one.words) for one in verdicts(history, found)]
    if test is None or found is None:
        return {"test": None, "verdict": said}
    means = {
        name: {column: _plain(asdict(mean)) for column, mean in columns.items()}
        for name, columns in found.means.items()
    }
    differences = [
        {"contender": one.contender, "column": one.column, "outcome": one.outcome,
         **_plain(asdict(one.gap)), "p_holm": one.p}
        for one in found.compared
    ]  # fmt: skip
    shown = {"runs": test.runs, "means": means, "differences": differences}
    return {"test": shown, "verdict": said}


def explain_test(output: Output, history: Any) -> None:
    """The table and its sentences, for people."""
    data = test_data(history)
    if data["test"] is not None:
        columns = [*next(iter(data["test"]["means"].values()))]
        gaps = {(one["contender"], one["column"]): one for one in data["test"]["differences"]}
        rows = [
            (name, *(cell for column in columns
                     for cell in (_mean(means[column]), _gap(gaps.get((name, column))))))
            for name, means in data["test"]["means"].items()
        ]  # fmt: skip
        heads = [head for column in columns for head in (column, "winner minus it, p (Holm)")]
        output.table("test: means with 95 % intervals", ("model", *heads), rows)
    for sentence in data["verdict"]:
        output.note(sentence)


def _mean(found: Mapping[str, Any]) -> str:
    if found["low"] is None:
        return f"{found['mean']:.4g}"
    return f"{found['mean']:.4g} ({found['low']:.4g} … {found['high']:.4g})"


def _gap(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    if found["low"] is None:
        return f"{found['mean']:+.4g}"
    between = f"{found['low']:+.3g} … {found['high']:+.3g}"
    return f"{found['mean']:+.3g} ({between}), {found['p_holm']:.2g}"


def _plain(fields: Mapping[str, Any]) -> dict[str, float | None]:
    """Numbers for JSON, which has no NaN."""
    return {name: None if math.isnan(value) else value for name, value in fields.items()}
