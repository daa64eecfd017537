"""Following: a study that somebody searches, seen as it grows. What was read is not read again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdmerge.evolve.export.history import History, Kind, Trial
from sdmerge.evolve.export.reading import read_history
from sdmerge.evolve.genes import Candidate
from sdmerge.evolve.ledger import Ledger
from sdmerge.evolve.run.options import mean
from sdmerge.evolve.run.study import Study
from sdmerge.evolve.run.suggesting import Suggestions
from sdmerge.evolve.run.winner import best


@dataclass(frozen=True, slots=True)
class Seen:
    """A study as far as it has come.

    asked: Candidates of the generation at work that are evaluated whole; their scores may still
        change by the rules of its end.
    best, why: The best so far and what makes it so; None before the first generation's end.
    generations: How many came to an end. version: Grows whenever anything was added.
    waiting: What was added to the search and has not been evaluated.
    """

    history: History
    asked: tuple[Trial, ...]
    best: Candidate | None
    why: str
    generations: int
    version: int
    waiting: tuple[str, ...] = ()


class Following:
    """The study in a folder, looked at again and again."""

    def __init__(self, folder: Path, study: Study) -> None:
        self.study = study
        self._ledger = Ledger(folder)
        self._suggestions = Suggestions(folder, study.space)
        self._suggested = len(self._suggestions())
        self._kinds: dict[str, Kind] = {one.name: one.kind for one in study.baselines}
        self._seen = self._read(1)

    def look(self) -> Seen:
        """The study now; the same value as before if nothing was added."""
        before, self._suggested = self._suggested, len(self._suggestions())
        if self._ledger.refresh() or self._suggested > before:
            self._seen = self._read(self._seen.version + 1)
        return self._seen

    def pictures(self) -> list[tuple[int, Path]]:
        """Generations whose incumbent's pictures are kept, with their folders."""
        found = [(number, self._ledger.pictures(number)) for number in self._ledger.generations]
        return [(number, path) for number, path in sorted(found) if path.is_dir()]

    def _read(self, version: int) -> Seen:
        ledger, study = self._ledger, self.study
        history = read_history(ledger, study.options, study.space.genes, self._kinds)
        found = best(ledger, study.options.objectives)
        closed = sum(not one.cut for one in ledger.generations.values())
        asked = () if study.options.halving > 1 else tuple(self._asked())
        candidate, why = found if found is not None else (None, "")
        judged = {key.slot for key in ledger.rows if key.role == "suggested"}
        waiting = tuple(
            one.name for slot, one in enumerate(self._suggestions()) if slot not in judged
        )
        return Seen(history, asked, candidate, why, closed, version, waiting)

    def _asked(self) -> list[Trial]:
        rows = [
            row for key, row in sorted(self._ledger.rows.items())
            if key.role == "candidate" and key.generation not in self._ledger.generations
        ]  # fmt: skip
        before = sum(len(one.entries) for one in self._ledger.generations.values())
        objectives = self.study.options.objectives
        return [
            Trial(
                before + place, row.key.generation, row.candidate,
                tuple(mean(one.per_prompt(row.evaluation)) for one in objectives),
                seconds=row.evaluation.seconds.get("total", 0.0),
            )
            for place, row in enumerate(rows)
            if row.evaluation is not None and row.candidate is not None
        ]  # fmt: skip
