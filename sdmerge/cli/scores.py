"""Scores for people and for files: tables with intervals, a line per picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sdmerge.cli.output import Output
from sdmerge.written import write


def described(
    scored: Mapping[str, Sequence[Any]], names: Sequence[str], *, paired: bool = True
) -> dict[str, Any]:
    """The scores of each model, and if `paired` what each differs from the first by, as data."""
    from sdmerge.sample.scored import column
    from sdmerge.scoring.statistics import difference, estimate

    models = [
        {
            "model": label,
            "scores": {name: _plain(asdict(estimate(column(rows, name)))) for name in names},
            "flagged": _flags(rows),
        }
        for label, rows in scored.items()
    ]
    first, *others = scored.items()
    differences = [
        {
            "model": label,
            "from": first[0],
            "scores": {
                name: _plain(asdict(difference(column(first[1], name), column(rows, name))))
                for name in names
            },
        }
        for label, rows in others
        if paired
    ]
    return {"models": models, "differences": differences}


def explain_scores(output: Output, data: Mapping[str, Any], heading: str = "model") -> None:
    """Tables for people; `heading` says what is scored."""
    names = list(data["models"][0]["scores"])
    one = data["models"][0]["scores"][names[0]]
    title = f"mean ± standard error over {one['prompts']} prompts (95 % interval)"
    rows = [
        (model["model"], *(_cell(found) for found in model["scores"].values()))
        for model in data["models"]
    ]
    output.table(title, (heading, *names), rows)
    for entry in data["differences"][:1]:
        output.table(
            f"difference from {entry['from']}, picture by picture",
            (heading, *names),
            [
                (other["model"], *(_gap(found) for found in other["scores"].values()))
                for other in data["differences"]
            ],
        )
    for model in data["models"]:
        told = ", ".join(f"{count} {flag}" for flag, count in model["flagged"].items())
        if told:
            output.note(f"{model['model']}: degenerate pictures got the worst score: {told}")


def explain_sanity(output: Output, checks: Sequence[Any]) -> None:
    """What each scorer makes of the ladder, for people."""
    if not checks:
        return
    rungs = list(checks[0].means)
    rows = [
        (check.name, "yes" if check.passed else "no", check.means[rungs[0]].mean, *_steps(check))
        for check in checks
    ]
    rows = [(name, word, f"{real:.4g}", *steps) for name, word, real, *steps in rows]
    output.table(
        "sanity: each step down should cost points (mean, with the interval of the step)",
        ("scorer", "fit", *rungs),
        rows,
    )


def write_rows(path: Path, scored: Mapping[str, Sequence[Any]]) -> None:
    """A line per picture; a write that is stopped leaves no file of that name."""
    lines = [
        {
            "model": label,
            "prompt": row.line.prompt,
            "caption": row.line.caption,
            "seed": row.seed,
            "scores": dict(row.scores),
            "flag": row.flag,
        }
        for label, rows in scored.items()
        for row in rows
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write(path, text.encode())


def _plain(fields: Mapping[str, float]) -> dict[str, float | None]:
    """Numbers for JSON, which has no NaN."""
    return {name: None if math.isnan(value) else value for name, value in fields.items()}


def _flags(rows: Sequence[Any]) -> dict[str, int]:
    flags = [row.flag for row in rows if row.flag]
    return {flag: flags.count(flag) for flag in sorted({*flags})}


def _cell(found: Mapping[str, Any]) -> str:
    if found["stderr"] is None:
        return f"{found['mean']:.4g}"
    return f"{found['mean']:.4g} ± {found['stderr']:.2g} ({found['low']:.4g} … {found['high']:.4g})"


def _gap(found: Mapping[str, Any]) -> str:
    if found["stderr"] is None:
        return f"{found['mean']:+.4g}"
    return f"{found['mean']:+.4g} ({found['low']:+.4g} … {found['high']:+.4g}), p {found['p']:.2g}"


def _steps(check: Any) -> list[str]:
    return [
        f"{check.means[step.worse].mean:.4g} "
        f"({-step.gap.high:+.2g} … {-step.gap.low:+.2g}){'' if step.holds else ' !'}"
        for step in check.steps
    ]
