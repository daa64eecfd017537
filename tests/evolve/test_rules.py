"""What the engine is told, against the rules written out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmerge.evolve.run.rules import Sat, judged, survivors

SCORES = st.floats(-10, 10)
PART, REST = 2, 4


@st.composite
def halved(draw: st.DrawFn) -> list[Sat]:
    """A batch of which the better half by the first part has both parts."""
    count = draw(st.integers(2, 9))
    first = [draw(st.lists(SCORES, min_size=PART, max_size=PART)) for _ in range(count)]
    going = survivors({slot: (sum(one) / PART,) for slot, one in enumerate(first)})
    return [
        Sat(
            slot,
            ((tuple(one),), (tuple(draw(st.lists(SCORES, min_size=REST, max_size=REST))),))
            if slot in going
            else ((tuple(one),),),
        )
        for slot, one in enumerate(first)
    ]


@given(halved())
def test_no_dropped_candidate_ranks_above_a_kept_one(batch: list[Sat]) -> None:
    told = {one.entry.slot: one.entry for one in judged(batch, 2, (0.0,))}
    kept = [told[one.slot].told[0] for one in batch if len(one.parts) == 2]
    dropped = {one.slot: sum(one.parts[0][0]) / PART for one in batch if len(one.parts) == 1}
    for one in batch:
        if len(one.parts) == 2:
            every = [*one.parts[0][0], *one.parts[1][0]]
            assert told[one.slot].told[0] == pytest.approx(math.fsum(every) / len(every))
    assert all(told[slot].told[0] < min(kept) for slot in dropped)
    # their own order and distances stay
    best = max(dropped.values(), default=0.0)
    top = max((told[slot].told[0] for slot in dropped), default=0.0)
    for slot, own in dropped.items():
        assert told[slot].told[0] - top == pytest.approx(own - best, abs=1e-9)


def test_the_dropped_are_corrected_for_an_easy_part() -> None:
    """Both kept ones lost 1 on the rest of the prompts: so would the dropped."""
    kept = [Sat(0, (((3.0,),), ((1.0,),))), Sat(1, (((5.0,),), ((3.0,),)))]
    batch = [*kept, Sat(2, (((1.0,),),))]
    assert [one.entry.told[0] for one in judged(batch, 2, (0.0,))] == [2.0, 4.0, 0.0]
    assert [one.entry.scores[0] for one in judged(batch, 2, (0.0,))] == [2.0, 4.0, 1.0]


@given(st.lists(st.tuples(SCORES, st.floats(-2, 2)), min_size=1, max_size=9))
def test_who_is_below_the_floor_ranks_by_the_violation(given_: list[tuple[float, float]]) -> None:
    batch = [Sat(n, (((score,),),), max(0.0, below)) for n, (score, below) in enumerate(given_)]
    told = [one.entry for one in judged(batch, 1, (0.0,))]
    fine = [told[n].told[0] for n, (_, below) in enumerate(given_) if below <= 0]
    assert fine == [score for score, below in given_ if below <= 0]
    lowest = min(score for score, _ in given_)
    for entry, (_, below) in zip(told, given_, strict=True):
        assert entry.fate == ("below" if below > 0 else "kept")
        if below > 0:
            assert entry.told[0] == lowest - below
            assert not fine or entry.told[0] <= min(fine)


def test_who_failed_is_told_the_worst() -> None:
    batch = [Sat(0, (((2.0,),),)), Sat(1, ()), Sat(2, (((1.0,),),))]
    assert [one.entry.told for one in judged(batch, 1, (-7.0,))] == [(2.0,), (1.0,), (1.0,)]
    assert [one.entry.told for one in judged([Sat(0, ())], 1, (-7.0,))] == [(-7.0,)]


def test_of_several_objectives_the_dominated_are_dropped() -> None:
    scores = {0: (1.0, 0.0), 1: (0.0, 1.0), 2: (0.5, 0.5), 3: (0.4, 0.4), 4: (0.0, 0.0)}
    assert survivors(scores) == [0, 1, 2]
    assert survivors({0: (1.0,), 1: (3.0,), 2: (2.0,)}) == [1, 2]
    assert survivors({5: (1.0,)}) == [5]
