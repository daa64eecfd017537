"""Validation: prompts and scorers that the engine never hears of, and what they warn of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sdmerge.evolve.exam import Evaluation
from sdmerge.evolve.genes import Candidate
from sdmerge.evolve.ledger import BASELINES, Key
from sdmerge.evolve.run.asking import Asking, Request
from sdmerge.evolve.run.baselines import Baseline
from sdmerge.evolve.run.exams import look_exam, validation_exam
from sdmerge.evolve.run.options import Options, mean
from sdmerge.evolve.run.searched import Searched
from sdmerge.evolve.run.winner import CENTRE
from sdmerge.evolve.statistics import Look, narrowing, overfitting
from sdmerge.recipe import Recipe


@dataclass(slots=True)
class Validating:
    """Validates candidates of one study. `planned` is how many validations there will be."""

    asking: Asking
    space: Searched
    options: Options
    planned: int

    def parents(self, found: Sequence[Baseline]) -> None:
        """Validate the parents and the soup; the best of them is the first look."""
        options = self.options
        plain = [(at, one) for at, one in enumerate(found) if one.kind in ("parent", "soup")]
        requests = [
            Request(
                Key("validation", BASELINES, at), given(one.recipe), one.candidate, one.name,
                {**options.sampling, **one.sampling}, options.every_column,
            )
            for at, one in plain
        ]  # fmt: skip
        self.asking.rows(requests, validation_exam(options), "validation", BASELINES)
        if (first := self._best(found)) is not None:
            at, one = first
            request = Request(
                Key("look", BASELINES, at), given(one.recipe), one.candidate, one.name,
                {**options.sampling, **one.sampling}, options.columns,
            )  # fmt: skip
            self.asking.rows([request], look_exam(options, BASELINES), "look", BASELINES)

    def candidates(
        self, generation: int, incumbent: Candidate, centre: Candidate | None
    ) -> tuple[str, ...]:
        """Validate the incumbent and the engine's centre; the alarms that this raises."""
        options = self.options
        asked = [(0, incumbent), *([(CENTRE, centre)] if centre is not None else [])]
        requests = [
            self._request(
                Key("validation", generation, slot), one, options.every_column,
                pictures=not slot,
            )
            for slot, one in asked
        ]  # fmt: skip
        self.asking.rows(requests, validation_exam(options), "validation", generation)
        look = self._request(Key("look", generation), incumbent, options.columns)
        self.asking.rows([look], look_exam(options, generation), "look", generation)
        found = [overfitting(self._looks(generation), self.planned), self._narrowed(generation)]
        return tuple(str(one) for one in found if one is not None)

    def _request(
        self, key: Key, one: Candidate, columns: tuple[str, ...], *, pictures: bool = False
    ) -> Request:
        sampling = {**self.options.sampling, **self.space.sampling(one)}
        folder = self.asking.ledger.pictures(key.generation) if pictures else None
        return Request(
            key, lambda: self.space.fill(one), one, sampling=sampling, columns=columns,
            pictures=folder,
        )  # fmt: skip

    def _best(self, found: Sequence[Baseline]) -> tuple[int, Baseline] | None:
        """The parent with the best score in the search."""
        scores: dict[int, float] = {}
        for at, one in enumerate(found):
            row = self.asking.ledger.rows.get(Key("baseline", BASELINES, at))
            if one.kind == "parent" and row is not None and row.evaluation is not None:
                scores[at] = mean(self.options.objectives[0].per_prompt(row.evaluation))
        if not scores:
            return None
        at = max(scores, key=lambda place: scores[place])
        return at, found[at]

    def _looks(self, generation: int) -> list[Look]:
        """The looks so far; those whose evaluation failed are left out."""
        rows = self.asking.ledger.rows
        looks: list[Look] = []
        for key in sorted(rows):
            if key.role != "look" or key.generation > generation:
                continue
            look = rows[key].evaluation
            seen = self._validated(key.generation, key.slot)
            if look is not None and seen is not None:
                looks.append(self._look(key.generation, look, seen))
        return looks

    def _look(self, generation: int, look: Evaluation, seen: Evaluation) -> Look:
        first = self.options.objectives[0]
        judges = [one for one in self.options.report if one != self.options.diversity]
        return Look(
            generation,
            dict(enumerate(first.per_prompt(look))),
            first.per_prompt(seen),
            judges[0].per_prompt(seen) if judges else (),
        )

    def _narrowed(self, generation: int) -> object | None:
        """Whether the incumbent's pictures of a prompt are more alike than any parent's."""
        column, now = self.options.diversity, self._validated(generation, 0)
        if column is None or now is None:
            return None
        parents: Mapping[str, Sequence[float]] = {
            row.name: column.per_prompt(row.evaluation)
            for key, row in self.asking.ledger.rows.items()
            if key.role == "validation" and key.generation == BASELINES and row.evaluation
        }
        return narrowing(column.per_prompt(now), parents, seed=self.options.seed)

    def _validated(self, generation: int, slot: int) -> Evaluation | None:
        row = self.asking.ledger.rows.get(Key("validation", generation, slot))
        return None if row is None else row.evaluation


def given(recipe: Recipe) -> Callable[[], Recipe]:
    """A function that gives `recipe`."""
    return lambda: recipe
