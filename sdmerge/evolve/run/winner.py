"""The winner: who did best on prompts that chose nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdmerge.evolve.genes import Candidate
from sdmerge.evolve.ledger import BASELINES, Key, Ledger, Row
from sdmerge.evolve.run.options import Objective, mean

CENTRE = 1
"""The slot of the engine's centre in a validation; 0 is the incumbent's."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Who was validated: the incumbent of a generation, or the engine's centre after it.

    validation: The objectives on the validation prompts. columns: Every scorer's mean.
    """

    generation: int
    what: str
    candidate: Candidate | None
    name: str
    validation: tuple[float, ...]
    columns: Mapping[str, float]


def standings(ledger: Ledger, objectives: Sequence[Objective]) -> list[Standing]:
    """Everybody who was validated, parents first, in order."""
    rows = [row for row in ledger.rows.values() if row.key.role == "validation" and not row.error]
    return [_standing(row, objectives) for row in sorted(rows, key=lambda row: row.key[1:])]


def best(ledger: Ledger, objectives: Sequence[Objective]) -> tuple[Candidate, str] | None:
    """The winner and why: the best of those validated by what is searched for, on prompts that no
    engine heard of; without validation the incumbent. None before the first generation.
    """
    found = [one for one in standings(ledger, objectives) if one.generation != BASELINES]
    if found:
        # of equals the later: it rests on more evaluations
        first = max(found, key=lambda one: (one.validation[0], one.generation))
        assert first.candidate is not None
        why = f"{first.what} of generation {first.generation}, best on the validation prompts"
        return first.candidate, why
    closed = [ledger.generations[number] for number in sorted(ledger.generations)]
    for generation in reversed(closed):
        if generation.incumbent is not None:
            return generation.incumbent, f"incumbent of generation {generation.number}"
    return None


def _standing(row: Row, objectives: Sequence[Objective]) -> Standing:
    key: Key = row.key
    assert row.evaluation is not None
    found = tuple(mean(one.per_prompt(row.evaluation)) for one in objectives)
    columns = {column: row.evaluation.mean(column) for column in row.evaluation.scores}
    what = "" if key.generation == BASELINES else "centre" if key.slot == CENTRE else "incumbent"
    return Standing(key.generation, what, row.candidate, row.name, found, columns)
