"""`sdmerge study show`: where a search is, in tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session, output_options


@click.command("show")
@click.argument("folder", type=click.Path(path_type=Path))
@output_options
@click.pass_obj
def show_command(session: Session, folder: Path) -> None:
    """Say what FOLDER's search has found: baselines, generations, validation, alarms."""
    from sdmerge.evolve.ledger import Ledger, read_description
    from sdmerge.evolve.run import best, standings
    from sdmerge.evolve.run.study import objectives_of

    description = read_description(folder)
    objectives, _ = objectives_of(description)
    ledger = Ledger(folder)
    found = best(ledger, objectives)
    data = {
        "path": str(folder),
        "engine": description.fixed["engine"]["name"],
        "objectives": [one.name for one in objectives],
        "trials": sum(key.role == "candidate" and not key.part for key in ledger.rows),
        "failed": sum(bool(row.error) for row in ledger.rows.values()),
        "baselines": _baselines(ledger, objectives),
        "generations": [ledger.generations[n].to_data() for n in sorted(ledger.generations)],
        "validation": [asdict(one) for one in standings(ledger, objectives)],
        "best": None if found is None else {"candidate": dict(found[0]), "why": found[1]},
    }
    _tables(session, data)
    session.output.result(data, _closing(data), quiet="" if found is None else found[1])


def _baselines(ledger: Any, objectives: Sequence[Any]) -> list[dict[str, Any]]:
    from sdmerge.evolve.run.options import mean

    return [
        {
            "name": row.name,
            "scores": None
            if row.evaluation is None
            else [mean(one.per_prompt(row.evaluation)) for one in objectives],
            "error": row.error,
        }
        for key, row in sorted(ledger.rows.items())
        if key.role == "baseline"
    ]


def _tables(session: Session, data: dict[str, Any]) -> None:
    names = data["objectives"]
    rows = [
        (one["name"], *(_numbers(one["scores"]) if one["scores"] else ["failed"] * len(names)))
        for one in data["baselines"]
    ]
    session.output.table("Baselines", ("recipe", *names), rows)
    closed = [
        (
            one["generation"],
            len(one["entries"]),
            *_numbers(_best_of(one["entries"], len(names))),
            _number(one["score"]),
            "new" if one["won"] else "",
            _number(one["diversity"]),
            "cut" if one["cut"] else "",
        )
        for one in data["generations"]
    ]
    columns = ("generation", "candidates", *(f"best {name}" for name in names), "incumbent", "",
               "spread", "")  # fmt: skip
    session.output.table("\nGenerations", columns, closed)
    seen = [
        (
            one["generation"] if one["generation"] >= 0 else "",
            one["name"] or one["what"],
            *(_number(score) for score in one["columns"].values()),
        )
        for one in data["validation"]
    ]
    judged: list[str] = [*data["validation"][0]["columns"]] if data["validation"] else []
    session.output.table("\nValidation", ("generation", "recipe", *judged), seen)


def _best_of(entries: Sequence[dict[str, Any]], count: int) -> list[float | None]:
    kept = [one["scores"] for one in entries if one["fate"] == "kept"]
    return [max((scores[at] for scores in kept), default=None) for at in range(count)]


def _closing(data: dict[str, Any]) -> str:
    alarms = [
        f"generation {one['generation']}: {note}"
        for one in data["generations"]
        for note in one["notes"]
    ]
    lines = [f"\n{data['trials']} candidates with {data['engine']}, {data['failed']} failed"]
    lines += [f"alarm: {one}" for one in alarms] or ["no alarm"]
    if data["best"] is not None:
        lines.append(f"best: {data['best']['why']}")
        lines += [f"  {name} = {_number(one)}" for name, one in data["best"]["candidate"].items()]
    return "\n".join(lines)


def _numbers(scores: Sequence[float | None]) -> list[str]:
    return [_number(one) for one in scores]


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
