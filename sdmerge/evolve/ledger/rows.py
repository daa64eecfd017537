"""Rows: what was evaluated and what a generation came to, as their lines of JSON say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, cast

from sdmerge.errors import CorruptFile
from sdmerge.evolve.exam import Evaluation
from sdmerge.evolve.genes import Candidate
from sdmerge.params import Scalar

Role = Literal[
    "baseline", "candidate", "incumbent", "bound", "suggested", "look", "validation"
]  # fmt: skip
"""What an evaluation is for. Engines are told of candidates alone.

baseline: parents, soups, recipes of the user's. incumbent, bound: the best so far, and the parent
that sets a floor, on the generation's exam. suggested: what somebody added to the search at work,
on the same exam. look: the incumbent on an exam that did not choose it.
validation: on the validation prompts.
"""

BASELINES = -1
"""The generation of what is evaluated before the search."""

Fate = Literal["kept", "dropped", "below", "failed"]
"""Dropped: only a part of the prompts was drawn. Below: under the floor."""


class Key(NamedTuple):
    """The place of an evaluation; `part` counts the parts of an exam, if it is given in parts."""

    role: Role
    generation: int
    slot: int = 0
    part: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """An evaluation: of a candidate, or of a recipe called `name`. One that failed has `error`."""

    key: Key
    exam: str
    """The id of its exam."""
    candidate: Candidate | None = None
    name: str = ""
    evaluation: Evaluation | None = None
    error: str = ""

    def to_data(self) -> dict[str, Any]:
        """As JSON holds it."""
        data: dict[str, Any] = {**self.key._asdict(), "exam": self.exam}
        if self.name:
            data["name"] = self.name
        if self.candidate is not None:
            data["candidate"] = dict(self.candidate)
        found = self.evaluation
        return {**data, **(found.to_data() if found is not None else {"error": self.error})}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Row:
        """What `to_data` gave."""
        key = Key(data["role"], int(data["generation"]), int(data["slot"]), int(data["part"]))
        evaluation = Evaluation.from_data(data) if "scores" in data else None
        candidate = cast("dict[str, Scalar] | None", data.get("candidate"))
        name, error = str(data.get("name", "")), str(data.get("error", ""))
        return cls(key, str(data["exam"]), candidate, name, evaluation, error)


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of the candidate in a slot; `told` is what the engine heard, per objective.

    `scores` are its own, per objective, on as much of the exam as it sat; nothing for one that
    failed. below: How far it is below the floors, if there are any; 0: it is not.
    """

    slot: int
    fate: Fate
    told: tuple[float, ...]
    scores: tuple[float, ...] = ()
    below: float | None = None

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Entry:
        """What `dataclasses.asdict` gave, after JSON."""
        told, scores = tuple(data["told"]), tuple(data["scores"])
        return cls(int(data["slot"]), data["fate"], told, scores, data["below"])


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation at its end. `incumbent` is the best so far, with its score in this generation.

    won: Whether the incumbent came in this generation. cut: Whether the budget ended before the
    generation did; a later run completes it. notes: alarms, in words.
    """

    number: int
    entries: tuple[Entry, ...]
    incumbent: Candidate | None = None
    score: float | None = None
    won: bool = False
    cut: bool = False
    notes: tuple[str, ...] = ()
    diversity: float | None = None
    """How far the generation's candidates lie apart: the mean over genes of the standard deviation
    of their places between 0 and 1."""

    def to_data(self) -> dict[str, Any]:
        """As JSON holds it."""
        data = asdict(self)
        return {"generation": data.pop("number"), **data}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Generation:
        """What `to_data` gave."""
        fields = dict(data)
        number = int(fields.pop("generation"))
        entries = tuple(Entry.from_data(one) for one in fields.pop("entries"))
        notes = tuple(fields.pop("notes"))
        return cls(number, entries, notes=notes, **fields)


@dataclass(slots=True)
class Book:
    """Every row and generation of a folder, the last line of a place counting."""

    rows: dict[Key, Row] = field(default_factory=dict[Key, Row])
    generations: dict[int, Generation] = field(default_factory=dict[int, Generation])


def checked(read: Any, data: Mapping[str, Any], where: str) -> Any:
    """`read(data)`; a CorruptFile at `where` if a line is not what it should be."""
    try:
        return read(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        hint = "Remove the line; what it told is evaluated again."
        what = f"is not a line of a study: {type(error).__name__} {error}"
        raise CorruptFile(what, where=where, hint=hint) from None
