"""Exams: what everybody of a generation is asked, drawn from the study's seed alone.

The noise is common to a generation and, unless the study says otherwise, new in the next, so that
candidates are compared on equal terms and none is rewarded for lasting luck. Search, validation and
test draw from words of their own and share no seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sdmerge.evolve.exam import Exam
from sdmerge.evolve.run.options import Options


def search_exam(options: Options, generation: int) -> Exam:
    """The exam of a generation: all search prompts, or its sample of them in the file's order."""
    if generation >= 0:  # the baselines' is one of its own
        generation = generation // options.redraw_every if options.redraw_every else 0
    lines = options.search
    wanted = options.prompts_per_generation
    if wanted and wanted < len(lines):
        places = shuffled(len(lines), options.seed, generation, "prompts")[:wanted]
        lines = tuple(lines[place] for place in sorted(places))
    return Exam.of(lines, options.images, "search", options.seed, generation)


def look_exam(options: Options, generation: int) -> Exam:
    """All search prompts with noise that has chosen nobody, the same for every look."""
    del generation
    return Exam.of(options.search, options.images, "look", options.seed)


def validation_exam(options: Options) -> Exam:
    """The validation prompts, always with the same noise: generations are compared on them."""
    return Exam.of(options.validation, options.images, "validation", options.seed)


def parts(options: Options, generation: int, exam: Exam) -> list[Sequence[int]]:
    """The places of the exam's prompts, part by part: one, or with halving a share and the rest."""
    count = len(exam.lines)
    first = -(-count // options.halving) if options.halving else count
    if first >= count:
        return [range(count)]
    order = shuffled(count, options.seed, generation, "halving")
    return [sorted(order[:first]), sorted(order[first:])]


def shuffled(count: int, *words: object) -> list[int]:
    """0 to count - 1 in an order that depends on `words` alone."""

    def rank(place: int) -> bytes:
        return hashlib.blake2b(repr((*words, place)).encode(), digest_size=8).digest()

    return sorted(range(count), key=rank)
