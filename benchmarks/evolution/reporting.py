"""The miniature's tables: everybody on the test prompts, and what that says of the claims."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.evolution.claims import claims
from benchmarks.evolution.judging import COLUMNS, Judged
from benchmarks.report import put, table
from sdmerge.scoring.statistics import Estimate


def said(judged: Sequence[Judged]) -> str:
    """Both tables, as Markdown."""
    return f"{_standings(judged)}\n\n{_claims(judged)}"


def record(judged: Sequence[Judged], note: str) -> None:
    """Write them to the benchmarks' README."""
    put("evolution", "\n\n".join(filter(None, [said(judged), note])))


def _standings(judged: Sequence[Judged]) -> str:
    rows = [
        [
            one.name, "" if one.seed is None else one.seed,
            *(_interval(one.mean(column)) for column in COLUMNS),
            f"{one.found.fitness:.3f}" if one.found else "",
            one.found.evaluations if one.found else "",
            len(one.found.alarms) or "" if one.found else "",
        ]
        for one in judged
    ]  # fmt: skip
    heads = ["", "seed", *COLUMNS, "its own best fitness", "evaluations", "alarms"]
    return table(heads, rows)


def _claims(judged: Sequence[Judged]) -> str:
    rows = [
        [claim.text, claim.seed, _interval(claim.gap, sign="+"), "yes" if claim.holds else "no"]
        for claim in claims(judged)
    ]
    return table(["difference by the oracle", "seed", "95 % interval", "above zero"], rows)


def _interval(one: Estimate, sign: str = "") -> str:
    return f"{one.mean:{sign}.3f} ({one.low:{sign}.3f} to {one.high:{sign}.3f})"
