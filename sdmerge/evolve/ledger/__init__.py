"""The study's folder: what was asked, what came of it, and where the search stands.

    study.yaml          the recipe and everything else that decides which scores come out
    evaluations.jsonl   a line per evaluation, the truth that a resumed run replays
    exams.jsonl         the prompts and seeds that evaluations name
    generations.jsonl   what each generation came to: told scores, incumbent, notes
    journal.log         the same evaluations as an Optuna study, for its dashboard and plots
    state.bin           the engine, and the batch that it asked last
    pictures/           the incumbent's at every validation

An evaluation is on the disk before the next one is asked. What a killed run leaves is continued
with the same decisions: scores are replayed, never drawn again.
"""

from sdmerge.evolve.ledger.database import check_database
from sdmerge.evolve.ledger.description import STUDY, Description
from sdmerge.evolve.ledger.folder import (
    Ledger,
    claimed,
    create,
    is_claimed,
    read_description,
    refuse_changed,
)
from sdmerge.evolve.ledger.journal import Journal, Trial
from sdmerge.evolve.ledger.rows import BASELINES, Entry, Generation, Key, Role, Row
from sdmerge.evolve.ledger.state import State

__all__ = [
    "BASELINES", "STUDY", "Description", "Entry", "Generation", "Journal", "Key", "Ledger", "Role",
    "Row", "State", "Trial", "check_database", "claimed", "create", "is_claimed",
    "read_description", "refuse_changed",
]  # fmt: skip
