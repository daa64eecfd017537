"""The journal follows the ledger: Optuna is told what became of candidates, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from sdmerge.evolve.ledger import Entry, Journal, Key, Ledger, Row, Trial
from sdmerge.evolve.run.options import Options, mean


def mirror(journal: Journal, ledger: Ledger, generation: int, entries: Sequence[Entry]) -> None:
    """Tell the journal of entries, as far as it does not know of them."""
    for entry in entries:
        rows = [
            row
            for part in range(2)
            if (row := ledger.rows.get(Key("candidate", generation, entry.slot, part)))
        ]
        journal.add(
            Trial(
                "candidate", generation, entry.slot, entry.scores, rows[0].candidate,
                pruned=entry.fate == "dropped", below=entry.below, seconds=_seconds(rows),
            )
        )  # fmt: skip


def mirror_rows(journal: Journal, rows: Sequence[Row], options: Options) -> None:
    """Tell the journal of what no engine asked for: baselines, and what was added."""
    for row in rows:
        found = row.evaluation
        values = [] if found is None else [mean(o.per_prompt(found)) for o in options.objectives]
        role, generation, slot, _ = row.key
        journal.add(
            Trial(
                role, generation, slot, tuple(values), row.candidate, row.name,
                seconds=_seconds([row]),
            )
        )  # fmt: skip


def _seconds(rows: Sequence[Row]) -> float:
    return sum(row.evaluation.seconds.get("total", 0.0) for row in rows if row.evaluation)
