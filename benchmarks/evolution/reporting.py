"""The miniature's tables: everybody on the test prompts, and what that says of the claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.evolution.claims import claims
from benchmarks.evolution.judging import COLUMNS, Judged
from benchmarks.report import keep, put, table
from sdmerge.scoring.statistics import Estimate


def described(judged: Sequence[Judged]) -> dict[str, Any]:
    """Both tables, as data."""
    return {
        "models": [
            {
                "name": one.name,
                "seed": one.seed,
                "scores": {column: _interval(one.mean(column)) for column in COLUMNS},
                "best fitness": round(one.found.fitness, 4) if one.found else None,
                "evaluations": one.found.evaluations if one.found else None,
                "alarms": len(one.found.alarms) if one.found else None,
            }
            for one in judged
        ],
        "claims": [
            {"text": one.text, "seed": one.seed, "gap": _interval(one.gap), "holds": one.holds}
            for one in claims(judged)
        ],
    }


def record(figures: Mapping[str, Any]) -> None:
    """Write evolution.json, and the tables to the benchmarks' README."""
    keep("evolution", figures)
    parts = [_standings(figures["models"]), _claims(figures["claims"]), figures["note"]]
    put("evolution", "\n\n".join(filter(None, parts)))


def _standings(models: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            one["name"], _shown(one["seed"]), *(_text(one["scores"][c]) for c in COLUMNS),
            _shown(one["best fitness"]), _shown(one["evaluations"]), one["alarms"] or "",
        ]
        for one in models
    ]  # fmt: skip
    heads = ["", "seed", *COLUMNS, "its own best fitness", "evaluations", "alarms"]
    return table(heads, rows)


def _claims(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [one["text"], one["seed"], _text(one["gap"], "+"), "yes" if one["holds"] else "no"]
        for one in found
    ]
    return table(["difference by the oracle", "seed", "95 % interval", "above zero"], rows)


def _interval(one: Estimate) -> list[float]:
    return [round(value, 4) for value in (one.mean, one.low, one.high)]


def _text(interval: Sequence[float], sign: str = "") -> str:
    mean, low, high = (f"{value:{sign}.3f}" for value in interval)
    return f"{mean} ({low} to {high})"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
