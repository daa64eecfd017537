"""Exams: the prompts and seeds that candidates are asked, and what their pictures were worth.

All candidates of a generation sit the same exam, so that they are compared on the same noise
(common random numbers); each prompt has seeds of its own, so that noise averages out over prompts.
Imports no torch.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sdmerge.params import Scalar
from sdmerge.recipe import Recipe
from sdmerge.scoring.prompts import Line

Keep = Callable[[int, int, Any], None]
"""Gets every picture: the prompt's place, the seed's place in it, the PIL image."""


@dataclass(frozen=True, slots=True)
class Exam:
    """Prompts, each with its seeds: `seeds[place]` are those of `lines[place]`."""

    lines: tuple[Line, ...]
    seeds: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, lines: Sequence[Line], each: int, *words: object) -> Exam:
        """`each` seeds per prompt, drawn from `words` (what it is for, a seed, a generation).

        Seeds of other words are other numbers, up to chance (1 in 2⁴⁸ a pair).
        """
        seeds = [[_seed(*words, place, at) for at in range(each)] for place in range(len(lines))]
        return cls(tuple(lines), tuple(tuple(own) for own in seeds))

    def part(self, places: Sequence[int]) -> Exam:
        """The prompts at `places`, with their seeds."""
        return Exam(
            tuple(self.lines[place] for place in places),
            tuple(self.seeds[place] for place in places),
        )

    @property
    def pictures(self) -> int:
        """How many pictures it asks for."""
        return sum(len(own) for own in self.seeds)

    @property
    def id(self) -> str:
        """The hash of what is asked: prompts, captions, references by name, seeds."""
        asked = [
            (line.prompt, line.caption, str(line.reference), own)
            for line, own in zip(self.lines, self.seeds, strict=True)
        ]
        return hashlib.blake2b(repr(asked).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a candidate's pictures were worth: per scorer's column [prompt][seed]."""

    scores: Mapping[str, tuple[tuple[float, ...], ...]]
    flags: tuple[str, ...] = ()
    """What was wrong with pictures: nan, black or flat; one word per such picture."""
    seconds: Mapping[str, float] = field(default_factory=dict[str, float], compare=False)
    """Of merging and drawing, and in total; scoring goes on beside the drawing."""

    def per_prompt(self, column: str) -> tuple[float, ...]:
        """The mean of each prompt's pictures."""
        return tuple(math.fsum(own) / len(own) for own in self.scores[column])

    def mean(self, column: str) -> float:
        """The mean over prompts."""
        found = self.per_prompt(column)
        return math.fsum(found) / len(found)

    def to_data(self) -> dict[str, Any]:
        """As JSON holds it; floats keep every bit."""
        scores = {column: [list(own) for own in rows] for column, rows in self.scores.items()}
        return {"scores": scores, "flags": list(self.flags), "seconds": dict(self.seconds)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Evaluation:
        """What `to_data` gave."""
        scores = {
            column: tuple(tuple(float(one) for one in own) for own in rows)
            for column, rows in data["scores"].items()
        }
        return cls(scores, tuple(data["flags"]), dict(data["seconds"]))


class Evaluator(Protocol):
    """Draws what a recipe gives and scores it. To be closed by whoever opened it."""

    def __call__(
        self,
        recipe: Recipe,
        exam: Exam,
        sampling: Mapping[str, Scalar],
        *,
        columns: Sequence[str] | None = None,
        keep: Keep | None = None,
        cancel: threading.Event | None = None,
    ) -> Evaluation:
        """The evaluation of `recipe`; `columns` are the scorers to ask, by default all."""
        ...

    def close(self) -> None:
        """Let go of the models."""
        ...


def _seed(*words: object) -> int:
    """A seed that JSON and JavaScript keep exactly, from anything with a stable repr."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 16
