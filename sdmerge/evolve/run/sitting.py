"""A batch sits its exam: in parts where there is halving, beside the incumbent and the floor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sdmerge.evolve.exam import Exam
from sdmerge.evolve.genes import Candidate
from sdmerge.evolve.ledger import BASELINES, Entry, Key, Role, Row, State
from sdmerge.evolve.run.asking import Asking, Request
from sdmerge.evolve.run.baselines import Baseline
from sdmerge.evolve.run.exams import parts, search_exam
from sdmerge.evolve.run.options import Objective, Options, mean
from sdmerge.evolve.run.rules import Sat, Scores, judged, survivors
from sdmerge.evolve.run.searched import Searched
from sdmerge.evolve.run.suggesting import rows_of, waiting
from sdmerge.evolve.run.validating import given

Places = Sequence[Sequence[int]]
"""The places of an exam's prompts, part by part."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch came to. `prompts` are what the engine hears per prompt, for each entry.

    whole: Whether everybody who was asked has an entry. incumbent: What the best of earlier
        generations scored here; None if there is none, or it failed or is below the floor.
    """

    generation: int
    entries: tuple[Entry, ...]
    prompts: tuple[tuple[float, ...], ...]
    whole: bool
    incumbent: float | None
    suggested: tuple[tuple[Candidate, float], ...] = ()
    """What was added to the search and could have been asked, with its score."""


@dataclass(slots=True)
class Sitting:
    """Lets batches of one study sit their exams."""

    asking: Asking
    space: Searched
    options: Options
    suggested: Callable[[], Sequence[Baseline]] = tuple

    def sit(self, state: State, count: float, baselines: Sequence[Baseline]) -> Batch:
        """The first `count` of the batch, evaluated and judged.

        Who is missing because of a deadline is left out, and all who come after.
        """
        generation = state.generation
        exam = search_exam(self.options, generation)
        places = parts(self.options, generation, exam)
        asked = {state.slot + at: one for at, one in enumerate(state.asked[: int(count)])}
        others = [*self._others(generation, baselines), *self._suggested(generation)]
        rows: dict[Key, Row] = {}
        going = list(asked)
        for part, where in enumerate(places):
            wanted = [replace(one, key=one.key._replace(part=part)) for one in others]
            wanted += [
                self._request(Key("candidate", generation, slot, part), asked[slot])
                for slot in going
            ]
            found = self.asking.rows(
                wanted, exam.part(where), f"generation {generation}", generation
            )
            rows |= found
            if part == 0 and len(places) > 1:
                going = self._survivors(rows, generation, going)
        return self._judge(state, asked, exam, places, going=going, rows=rows)

    def _judge(
        self, state: State, asked: Mapping[int, Candidate], exam: Exam, places: Places, *,
        going: Sequence[int], rows: Mapping[Key, Row],
    ) -> Batch:  # fmt: skip
        generation = state.generation
        slots: list[int] = []
        for slot in asked:  # what came in before the deadline, without gaps
            wanted = range(len(places)) if slot in going else range(1)
            if not all(Key("candidate", generation, slot, part) in rows for part in wanted):
                break
            slots.append(slot)
        own = {slot: self._parts("candidate", generation, slot, rows) for slot in slots}
        sat = [
            Sat(slot, self._sat(own[slot]), self._below(generation, own[slot], rows))
            for slot in slots
        ]
        verdicts = judged(sat, len(places), self._worst())
        prompts = tuple(
            self._per_prompt(one, exam, places, verdict.shift, verdict.entry.told)
            for one, verdict in zip(sat, verdicts, strict=True)
        )
        mine = self._parts("incumbent", generation, 0, self.asking.ledger.rows)
        best = self._sat(mine)
        stands = len(best) == len(places) and not self._below(generation, mine, rows)
        return Batch(
            generation,
            tuple(one.entry for one in verdicts),
            prompts,
            len(slots) == len(state.asked),
            _mean_of(best, 0) if stands else None,
            tuple(self._standing(generation, len(places))),
        )

    def _standing(self, generation: int, parts_: int) -> Iterator[tuple[Candidate, float]]:
        """Who was suggested, lies in the space, and is whole and not below the floors."""
        ledger = self.asking.ledger
        for own in rows_of(ledger, generation).values():
            sat, one = self._sat(own), own[0].candidate
            if one is None or len(sat) < parts_ or self._below(generation, own, ledger.rows):
                continue
            yield one, _mean_of(sat, 0)

    def _others(self, generation: int, baselines: Sequence[Baseline]) -> list[Request]:
        """The incumbent, and the parent that sets the floor, on the same exam."""
        found: list[Request] = []
        earlier = self.asking.ledger.generations.get(generation - 1)
        if earlier is not None and earlier.incumbent is not None:
            found.append(self._request(Key("incumbent", generation), earlier.incumbent))
        for slot, floor in enumerate(self.options.floors):
            best = self._best_parent(floor, baselines)
            if best is not None:
                found.append(self._fixed(Key("bound", generation, slot), best))
        return found

    def _suggested(self, generation: int) -> list[Request]:
        """What was added to the search, unless it sat an earlier exam."""
        found = waiting(self.asking.ledger, self.suggested(), generation)
        return [self._fixed(Key("suggested", generation, slot), one) for slot, one in found.items()]

    def _fixed(self, key: Key, one: Baseline) -> Request:
        return Request(
            key, given(one.recipe), one.candidate, one.name,
            {**self.options.sampling, **one.sampling}, self.options.columns,
        )  # fmt: skip

    def _request(self, key: Key, one: Candidate) -> Request:
        sampling = {**self.options.sampling, **self.space.sampling(one)}
        return Request(
            key, lambda: self.space.fill(one), one, sampling=sampling,
            columns=self.options.columns,
        )  # fmt: skip

    def _survivors(
        self, rows: Mapping[Key, Row], generation: int, slots: Sequence[int]
    ) -> list[int]:
        """Who goes on after the first part; who is below the floor only in want of others."""
        sat = {
            slot: row
            for slot in slots
            if (row := rows.get(Key("candidate", generation, slot))) and row.evaluation
        }
        below = {slot: self._below(generation, [row], rows) for slot, row in sat.items()}
        scores = {
            slot: tuple(mean(one) for one in self._scores(row))
            for slot, row in sat.items()
            if not below[slot]
        }
        if not scores:
            scores = {slot: (-(gap or 0.0),) for slot, gap in below.items()}
        return survivors(scores)

    def _parts(self, role: Role, generation: int, slot: int, rows: Mapping[Key, Row]) -> list[Row]:
        """The rows of a candidate, part by part."""
        found: list[Row] = []
        while (row := rows.get(Key(role, generation, slot, len(found)))) is not None:
            found.append(row)
        return found

    def _sat(self, rows: Sequence[Row]) -> tuple[Scores, ...]:
        """Scores by part; none if a part failed."""
        if any(row.evaluation is None for row in rows):
            return ()
        return tuple(self._scores(row) for row in rows)

    def _scores(self, row: Row) -> Scores:
        assert row.evaluation is not None
        return tuple(one.per_prompt(row.evaluation) for one in self.options.objectives)

    def _below(self, generation: int, own: Sequence[Row], rows: Mapping[Key, Row]) -> float | None:
        """How far these parts are below the floors' parents on the same prompts, in sum; None
        without floors.
        """
        if not self.options.floors:
            return None
        return math.fsum(
            max(0.0, self._gap(floor, slot, generation, own, rows))
            for slot, floor in enumerate(self.options.floors)
        )

    def _gap(
        self, floor: Objective, slot: int, generation: int, own: Sequence[Row],
        rows: Mapping[Key, Row],
    ) -> float:  # fmt: skip
        gaps: list[float] = []
        for row in own:
            key = Key("bound", generation, slot, row.key.part)
            bound = rows.get(key) or self.asking.ledger.rows.get(key)
            if row.evaluation is None or bound is None or bound.evaluation is None:
                return 0.0
            theirs, ours = floor.per_prompt(bound.evaluation), floor.per_prompt(row.evaluation)
            gaps += [a - b for a, b in zip(theirs, ours, strict=True)]
        return mean(gaps) if gaps else 0.0

    def _best_parent(self, floor: Objective, baselines: Sequence[Baseline]) -> Baseline | None:
        scores: dict[int, float] = {}
        for at, one in enumerate(baselines):
            row = self.asking.ledger.rows.get(Key("baseline", BASELINES, at))
            if one.kind == "parent" and row is not None and row.evaluation is not None:
                scores[at] = mean(floor.per_prompt(row.evaluation))
        return baselines[max(scores, key=lambda at: scores[at])] if scores else None

    def _worst(self) -> tuple[float, ...]:
        """The worst that any engine has heard in this study, else that a baseline scored."""
        count = len(self.options.objectives)
        told = [
            one.told for each in self.asking.ledger.generations.values() for one in each.entries
        ]
        if not told:
            told = [
                tuple(mean(one) for one in self._scores(row))
                for key, row in self.asking.ledger.rows.items()
                if key.role == "baseline" and row.evaluation is not None
            ]
        return tuple(min((one[at] for one in told), default=0.0) for at in range(count))

    def _per_prompt(
        self, one: Sat, exam: Exam, places: Places, shift: tuple[float, ...],
        told: tuple[float, ...],
    ) -> tuple[float, ...]:  # fmt: skip
        """What the engine hears per prompt, in the exam's order: shifted as its score is."""
        if not one.parts:
            return (told[0],) * len(exam.lines)
        if len(one.parts) < len(places):
            return ()
        found = [0.0] * len(exam.lines)
        for scores, where in zip(one.parts, places, strict=True):
            for place, score in zip(where, scores[0], strict=True):
                found[place] = score + shift[0]
        return tuple(found)


def _mean_of(parts_: Sequence[Scores], objective: int) -> float:
    return mean([x for part in parts_ for x in part[objective]])
