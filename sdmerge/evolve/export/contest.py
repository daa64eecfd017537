"""The test: prompts and seeds that no search saw, drawn once, by the winner and all beside it.

What it says is kept in STUDY/test.json, and a few pictures of each in STUDY/test, a grid. Whoever
looks at a test twice and picks the better result has searched on it, so runs are counted and a
second one has to be asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL.Image import Image

from sdmerge.errors import CorruptFile, InputError
from sdmerge.evolve.exam import Evaluation, Evaluator, Exam
from sdmerge.evolve.export.history import Contender, Test
from sdmerge.recipe import recipe_id
from sdmerge.scoring.prompts import Line
from sdmerge.written import write

FILE = "test.json"
_VERSION = 1

Told = Callable[[int, int, str], None]
"""Takes how many contenders are done, of how many, and who is next."""


@dataclass(frozen=True, slots=True)
class Sat:
    """A contender's test: what its pictures were worth, and the recipe they were drawn by."""

    name: str
    kind: str
    recipe: str
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class TestRun:
    """A finished run. `exam` is its id, `runs` counts it and those before it."""

    __test__ = False  # no class of tests

    runs: int
    exam: str
    sat: tuple[Sat, ...]
    pictures: Mapping[tuple[str, int], Image] = field(
        default_factory=dict[tuple[str, int], Image], compare=False
    )
    """Contender and prompt's place → its first picture; only of the run just done."""

    @property
    def test(self) -> Test:
        """The run as the report wants it."""
        scores = {
            one.name: {name: one.evaluation.per_prompt(name) for name in one.evaluation.scores}
            for one in self.sat
        }
        kinds: Any = {one.name: one.kind for one in self.sat}
        first = next(iter(self.sat[0].evaluation.scores.values()))
        flags = {one.name: len(one.evaluation.flags) for one in self.sat if one.evaluation.flags}
        return Test(self.runs, scores, kinds, sum(len(own) for own in first), flags)


def run_test(
    contenders: Sequence[Contender],
    exam: Exam,
    evaluator: Evaluator,
    *,
    before: TestRun | None = None,
    shown: int = 8,
    told: Told | None = None,
) -> TestRun:
    """Every contender, the winner first, on `exam`; the first picture of `shown` prompts is kept.

    `before` is the run that this one comes after.
    """
    sat: list[Sat] = []
    pictures: dict[tuple[str, int], Image] = {}
    for place, one in enumerate(contenders):
        if told is not None:
            told(place, len(contenders), one.name)

        def keep(prompt: int, seed: int, picture: Any, name: str = one.name) -> None:
            if prompt < shown and seed == 0:
                pictures[name, prompt] = picture

        found = evaluator(one.recipe, exam, one.sampling, keep=keep)
        sat.append(Sat(one.name, one.kind, recipe_id(one.recipe), found))
    if told is not None:
        told(len(contenders), len(contenders), "")
    return TestRun(before.runs + 1 if before else 1, exam.id, tuple(sat), pictures)


def exam_of(lines: Sequence[Line], images: int, seed: int, before: TestRun | None) -> Exam:
    """The test prompts with seeds of their own, which neither a search nor an earlier test had."""
    return Exam.of(lines, images, "test", seed, before.runs if before else 0)


def refuse_second(before: TestRun | None, winner: Contender, *, again: bool, where: Path) -> None:
    """An InputError if a test was run with another winner, and a new one was not asked for."""
    if before is None or again or before.sat[0].recipe == recipe_id(winner.recipe):
        return
    what = "the test was run already, and with another winner than the search has now"
    hint = "Pass --again to run it once more; the report will say how often it was run."
    raise InputError(what, where=str(where), hint=hint)


def save(run: TestRun, folder: Path) -> None:
    """Write the run into the study's folder, whole or not at all."""
    data = {
        "version": _VERSION,
        "runs": run.runs,
        "exam": run.exam,
        "contenders": [
            {"name": one.name, "kind": one.kind, "recipe": one.recipe, **one.evaluation.to_data()}
            for one in run.sat
        ],
    }
    text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
    write(folder / FILE, text.encode())


def load(folder: Path) -> TestRun | None:
    """The study's last run of the test; None if there was none."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        data: Any = json.loads(path.read_text("utf-8"))
        if data["version"] != _VERSION:
            what = f"is of version {data['version']}, not {_VERSION}"
            hint = "Use the version of sdmerge that wrote it."
            raise CorruptFile(what, where=str(path), hint=hint)
        sat = [
            Sat(one["name"], one["kind"], one["recipe"], Evaluation.from_data(one))
            for one in data["contenders"]
        ]
        return TestRun(int(data["runs"]), str(data["exam"]), tuple(sat))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        hint = "Take it from a copy. Without it nobody knows how often the test was run."
        raise CorruptFile(f"is no test of a study: {error}", where=str(path), hint=hint) from None
