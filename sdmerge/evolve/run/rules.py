"""What the engine is told: one comparable score per candidate, whatever became of it.

Halving. The dropped were drawn on a part of the prompts, which may be harder or easier than the
rest. The kept, who have both, say by how much (the mean of full - part), and this is added. Since
the dropped lost against every kept one on the same prompts, none may rank above them: if one does,
all of the dropped are moved down together until the best is just below the worst kept one.

Floor. Who is below it ranks below everybody who is not, and among themselves the smaller
violation wins (the feasibility rules of K. Deb, 2000): the score told is the worst of the batch
minus the violation.

Failed. The worst that anybody of the batch is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdmerge.evolve.ledger import Entry
from sdmerge.evolve.run.options import mean

Scores = tuple[tuple[float, ...], ...]
"""Per objective, a number per prompt."""


@dataclass(frozen=True, slots=True)
class Sat:
    """How a candidate did: scores on the parts of the exam that it sat, and how far it is below
    the floors (0: it is not; None: there are none). Nothing in `parts`: it failed.
    """

    slot: int
    parts: tuple[Scores, ...]
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a candidate, and by how much the engine hears of another score."""

    entry: Entry
    shift: tuple[float, ...]
    """Told - own, per objective."""


def survivors(first: Mapping[int, Sequence[float]]) -> list[int]:
    """The better half of slots by their scores on the first part: by the objective, or by
    non-dominated rank where there are several. A half is rounded up.
    """
    ranks = {slot: _dominators(slot, first) for slot in first}
    order = sorted(first, key=lambda slot: (ranks[slot], [-one for one in first[slot]], slot))
    return sorted(order[: -(-len(order) // 2)])


def judged(batch: Sequence[Sat], parts: int, worst: Sequence[float]) -> list[Verdict]:
    """The verdict on each, in order. `worst` is told if all of them failed."""
    sat = [one for one in batch if one.parts]
    own = {one.slot: _own(one) for one in sat}
    told = dict(own)
    kept = [one for one in sat if len(one.parts) == parts]
    dropped = [one for one in sat if len(one.parts) < parts]
    for objective in range(len(worst)):
        _estimate_dropped(objective, kept, dropped, told)
    _sink_below(sat, told)
    lowest = [
        min((one[at] for one in told.values()), default=worst[at]) for at in range(len(worst))
    ]
    verdicts: list[Verdict] = []
    for one in batch:
        heard = told.get(one.slot, tuple(lowest))
        fate = "kept" if len(one.parts) == parts else "dropped"
        fate = "below" if one.below else fate
        entry = Entry(
            one.slot, fate if one.parts else "failed", heard, own.get(one.slot, ()),
            one.below if one.parts else None,
        )  # fmt: skip
        mine = own.get(one.slot, heard)
        shift = tuple(a - b for a, b in zip(heard, mine, strict=True))
        verdicts.append(Verdict(entry, shift))
    return verdicts


def _own(one: Sat) -> tuple[float, ...]:
    """The means over the prompts that it sat."""
    count = len(one.parts[0])
    return tuple(mean([x for part in one.parts for x in part[at]]) for at in range(count))


def _estimate_dropped(
    objective: int, kept: Sequence[Sat], dropped: Sequence[Sat],
    told: dict[int, tuple[float, ...]],
) -> None:  # fmt: skip
    if not kept or not dropped:
        return
    gaps = [told[one.slot][objective] - mean(one.parts[0][objective]) for one in kept]
    step = mean(gaps)
    best = max(told[one.slot][objective] for one in dropped) + step
    ceiling = min(told[one.slot][objective] for one in kept)
    if best >= ceiling:
        step -= best - math.nextafter(ceiling, -math.inf)
    for one in dropped:
        scores = list(told[one.slot])
        # rounding must not lift it over the ceiling
        scores[objective] = min(scores[objective] + step, math.nextafter(ceiling, -math.inf))
        told[one.slot] = tuple(scores)


def _sink_below(sat: Sequence[Sat], told: dict[int, tuple[float, ...]]) -> None:
    lowest = [min(column) for column in zip(*told.values(), strict=True)]
    for one in sat:
        if one.below:
            told[one.slot] = tuple(at - one.below for at in lowest)


def _dominators(slot: int, scores: Mapping[int, Sequence[float]]) -> int:
    """How many others are at least as good everywhere, and better somewhere."""
    own = scores[slot]
    if len(own) == 1:
        return 0
    return sum(
        all(a >= b for a, b in zip(other, own, strict=True)) and tuple(other) != tuple(own)
        for other in scores.values()
    )
