"""From a study's folder to its history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from sdmerge.evolve.exam import Evaluation
from sdmerge.evolve.export.history import History, Kind, Trial, Validation, Warned
from sdmerge.evolve.genes import Candidate, Gene
from sdmerge.evolve.ledger import BASELINES, Key, Ledger, Row
from sdmerge.evolve.run.options import Objective, Options, mean
from sdmerge.evolve.run.suggesting import rows_of
from sdmerge.evolve.run.winner import CENTRE


def read_history(
    ledger: Ledger,
    options: Options,
    genes: Sequence[Gene],
    kinds: Mapping[str, Kind] | None = None,
) -> History:
    """The study as far as it has come: generations that ended, or were cut.

    kinds: Baseline → what it is.
    """
    kinds = kinds or {}
    trials = [*_baselines(ledger, options, kinds), *_trials(ledger), *_added(ledger, options)]
    numbers = {_key(one.candidate): one.number for one in reversed(trials)
               if one.kind == "candidate"}  # fmt: skip
    closed = [ledger.generations[number] for number in sorted(ledger.generations)]
    fitness = dict.fromkeys(name for one in options.objectives for name, _ in one.terms)
    report = dict.fromkeys(name for one in options.report for name, _ in one.terms)
    terms = [term for one in (*options.objectives, *options.report) for term in one.terms]
    return History(
        name=ledger.folder.resolve().name,
        genes=tuple(genes),
        trials=tuple(trials),
        validations=tuple(_validations(ledger, options, kinds, numbers)),
        objectives=tuple(_column(one) for one in options.objectives),
        fitness=tuple(fitness),
        report=tuple(name for name in report if name not in fitness),
        judge=_column(options.objectives[0]),
        lower=tuple(dict.fromkeys(name for name, weight in terms if weight < 0)),
        engine=options.engine,
        seed=options.seed,
        alarms=tuple(Warned(one.number, note) for one in closed for note in one.notes),
    )


def _baselines(ledger: Ledger, options: Options, kinds: Mapping[str, Kind]) -> Iterator[Trial]:
    for key, row in sorted(ledger.rows.items()):
        if key.role == "baseline":
            scores = _scores([row], options)
            kind = kinds.get(row.name, "added")
            yield Trial(0, BASELINES, row.candidate or {}, scores, kind, row.name, _seconds([row]))


def _scores(parts: Sequence[Row], options: Options) -> tuple[float, ...]:
    """The objectives over all parts of an exam; nothing if one failed."""
    found = [row.evaluation for row in parts if row.evaluation is not None]
    if len(found) < len(parts):
        return ()
    return tuple(
        mean([x for one in found for x in objective.per_prompt(one)])
        for objective in options.objectives
    )


def _trials(ledger: Ledger) -> Iterator[Trial]:
    """Candidates in order, and after each generation its incumbent."""
    number = -1
    for place in sorted(ledger.generations):
        generation = ledger.generations[place]
        for entry in generation.entries:
            number += 1
            first = ledger.rows.get(Key("candidate", place, entry.slot))
            second = ledger.rows.get(Key("candidate", place, entry.slot, 1))
            if first is None or first.candidate is None:
                continue
            whole = entry.scores if entry.fate in ("kept", "below") else ()
            seconds = _seconds([one for one in (first, second) if one is not None])
            yield Trial(number, place, first.candidate, whole, seconds=seconds)
        if generation.incumbent is not None and generation.score is not None:
            score = (generation.score,)
            yield Trial(max(number, 0), place, generation.incumbent, score, "incumbent")


def _added(ledger: Ledger, options: Options) -> Iterator[Trial]:
    """What was added to the search at work, each at the end of the generation that it sat with."""
    for generation in sorted({key.generation for key in ledger.rows if key.role == "suggested"}):
        closed = [one for one in ledger.generations.values() if one.number <= generation]
        number = max(sum(len(one.entries) for one in closed) - 1, 0)
        for parts in rows_of(ledger, generation).values():
            scores, first = _scores(parts, options), parts[0]
            yield Trial(number, generation, first.candidate or {}, scores, "added", first.name,
                        _seconds(parts))  # fmt: skip


def _seconds(rows: Sequence[Row]) -> float:
    return sum(row.evaluation.seconds.get("total", 0.0) for row in rows if row.evaluation)


def _validations(
    ledger: Ledger, options: Options, kinds: Mapping[str, Kind], numbers: Mapping[str, int]
) -> Iterator[Validation]:
    for key, row in sorted(ledger.rows.items()):
        if key.role != "validation" or row.evaluation is None:
            continue
        scores = _columns(row.evaluation, options)
        if key.generation == BASELINES:
            kind = kinds.get(row.name, "added")
            yield Validation(key.generation, kind, scores, row.candidate or {}, name=row.name)
            continue
        candidate = row.candidate or {}
        centre = key.slot == CENTRE
        number = None if centre else numbers.get(_key(candidate))
        kind = "centre" if centre else "incumbent"
        yield Validation(key.generation, kind, scores, candidate, number)


def _columns(found: Evaluation, options: Options) -> dict[str, tuple[float, ...]]:
    """Every column, and every objective that is not one of them."""
    sums = {_column(one): one.per_prompt(found) for one in options.objectives}
    return {**sums, **{name: found.per_prompt(name) for name in found.scores}}


def _column(objective: Objective) -> str:
    """An objective that is one scorer's goes by its column."""
    (name, weight), *others = objective.terms
    return name if not others and weight == 1 else objective.name


def _key(candidate: Candidate) -> str:
    return json.dumps(dict(candidate), sort_keys=True)
