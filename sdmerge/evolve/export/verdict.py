"""Verdicts: what the test says, and no more than its intervals allow.

Every comparison of the table, contender by contender and column by column, is corrected together
(Holm). A difference is one if its interval lies on one side of zero and its corrected p-value is at
most 5 %. "Better than every parent" needs that of each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sdmerge.evolve.export.history import History, Kind, Test
from sdmerge.scoring.statistics import Difference, Estimate, difference, estimate, holm, table

LEVEL = 0.05

Outcome = Literal["above", "below", "open"]


@dataclass(frozen=True, slots=True)
class Compared:
    """The winner minus a contender, by one column; `p` is Holm's."""

    contender: str
    kind: Kind
    column: str
    gap: Difference
    p: float
    lower: bool = False
    """Whether lower numbers are the better ones."""

    @property
    def outcome(self) -> Outcome:
        """Whether the winner is above (better), below, or whether that is open."""
        if self.p > LEVEL or self.gap.low <= 0 <= self.gap.high:
            return "open"
        return "above" if (self.gap.low > 0) != self.lower else "below"

    @property
    def margin(self) -> float:
        """The end of the interval that is nearer to being worse: the more, the better."""
        return -self.gap.high if self.lower else self.gap.low


@dataclass(frozen=True, slots=True)
class Table:
    """Contender → column → its mean; and the winner's difference from each other contender."""

    means: dict[str, dict[str, Estimate]]
    compared: tuple[Compared, ...]

    def of(self, contender: str, column: str) -> Compared | None:
        """The comparison with `contender`; None for the winner itself."""
        for one in self.compared:
            if (one.contender, one.column) == (contender, column):
                return one
        return None


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence: its key in the catalogue of words, and what it is filled with."""

    key: str
    words: dict[str, str]
    column: str = ""


def table_of(test: Test, lower: Sequence[str] = ()) -> Table:
    """The test as means and differences with their noise; `lower` as in History."""
    means = {
        name: {column: estimate(table(scores)) for column, scores in columns.items()}
        for name, columns in test.scores.items()
    }
    own = test.scores[test.winner]
    pairs = [
        (name, column, difference(table(scores), table(own[column])))
        for name, columns in test.scores.items()
        if name != test.winner
        for column, scores in columns.items()
    ]
    corrected = holm([gap.p for *_, gap in pairs])
    compared = [
        Compared(name, test.kinds[name], column, gap, p, column in lower)
        for (name, column, gap), p in zip(pairs, corrected, strict=True)
    ]
    return Table(means, tuple(compared))


def verdicts(history: History, found: Table | None) -> list[Said]:
    """Sentences for each column that was never optimised, else for the optimised ones."""
    test = history.test
    if test is None or found is None:
        return [Said("untested", {})]
    said: list[Said] = []
    for column in history.report or history.fitness:
        rows = [one for one in found.compared if one.column == column]
        said += [*_parents(column, rows), *_others(column, rows)]
    if not history.report:
        said.append(Said("no_report", {"columns": ", ".join(history.fitness)}))
    if test.runs > 1:
        said.append(Said("again", {"runs": str(test.runs)}))
    said += [Said("alarmed", {"words": one.words}) for one in history.alarms[-1:]]
    return [*said, Said("one_search", {})]


def _parents(column: str, rows: Sequence[Compared]) -> list[Said]:
    """Whether the winner is above all parents: told of the one that comes nearest."""
    own = [one for one in rows if one.kind == "parent"]
    if not own:
        return []
    for outcome in ("below", "open"):
        if names := [one.contender for one in own if one.outcome == outcome]:
            words = {"column": column, "names": ", ".join(names)}
            return [Said(f"{outcome}_parents", words, column)]
    near = min(own, key=lambda one: one.margin)
    words = {"column": column, "name": near.contender, **_numbers(near.gap)}
    return [Said("above_parents", words, column)]


def _others(column: str, rows: Sequence[Compared]) -> list[Said]:
    return [
        Said(one.outcome, {"column": column, "name": one.contender, **_numbers(one.gap)}, column)
        for one in rows
        if one.kind != "parent"
    ]


def _numbers(gap: Difference) -> dict[str, str]:
    return {"mean": f"{gap.mean:+.3g}", "low": f"{gap.low:+.3g}", "high": f"{gap.high:+.3g}"}
