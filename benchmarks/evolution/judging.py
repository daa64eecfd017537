"""The last word: held-out prompts and fresh noise, by the oracle and a scorer nobody searched."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.evolution.rows import SAMPLES, SAMPLING, Fixed
from benchmarks.evolution.searching import FITNESS, REPORT, Effort, Found, Studio, read
from sdmerge.evolve.exam import Evaluation, Exam
from sdmerge.recipe import Recipe, recipe_id
from sdmerge.scoring.prompts import read_prompts
from sdmerge.scoring.statistics import Difference, Estimate, Key, difference, estimate
from sdmerge.written import write

COLUMNS = ("oracle", REPORT, FITNESS)


@dataclass(frozen=True, slots=True)
class Judged:
    """A model on the test prompts; of searches also what they thought of it."""

    name: str
    seed: int | None
    recipe: Recipe
    evaluation: Evaluation
    found: Found | None = None

    def mean(self, column: str) -> Estimate:
        """The mean with its interval over prompts."""
        return estimate(_keyed(self.evaluation, column))

    def ahead(self, other: Judged, column: str) -> Difference:
        """How much better than another, prompt by prompt."""
        return difference(_keyed(other.evaluation, column), _keyed(self.evaluation, column))


class Judge:
    """Draws every model once; what it knows stays in a folder."""

    def __init__(self, studio: Studio, folder: Path, effort: Effort) -> None:
        self._studio, self._folder = studio, folder
        test = read_prompts(SAMPLES / "prompts" / "test.jsonl")
        search = read_prompts(SAMPLES / "prompts" / "search.jsonl")
        self.exam = Exam.of(test[: effort.lines], effort.each, "miniature", "test")
        self._search = Exam.of(search[: effort.lines], 1, "miniature", "search")

    def fixed(self, row: Fixed) -> Judged:
        """A merge without a search; of several recipes the best by the search's own scorer."""
        recipes = {label: read(data, row.name) for label, data in row.recipes.items()}
        label = max(recipes, key=lambda one: self._fitness(recipes[one]) if one else 0.0)
        name = f"{row.name} = {label}" if label else row.name
        return self.judge(name, None, recipes[label])

    def judge(
        self, name: str, seed: int | None, recipe: Recipe, found: Found | None = None
    ) -> Judged:
        """A model on the test prompts."""
        return Judged(name, seed, recipe, self._evaluation(recipe, self.exam), found)

    def _fitness(self, recipe: Recipe) -> float:
        return self._evaluation(recipe, self._search).mean(FITNESS)

    def _evaluation(self, recipe: Recipe, exam: Exam) -> Evaluation:
        path = self._folder / "judged" / f"{recipe_id(recipe)}-{exam.id}.json"
        if path.exists():
            return Evaluation.from_data(json.loads(path.read_text("utf-8")))
        found = self._studio.evaluator(recipe, exam, SAMPLING, columns=COLUMNS)
        write(path, json.dumps(found.to_data()).encode())
        return found


def _keyed(evaluation: Evaluation, column: str) -> dict[Key, float]:
    return {
        (place, at): score
        for place, own in enumerate(evaluation.scores[column])
        for at, score in enumerate(own)
    }
