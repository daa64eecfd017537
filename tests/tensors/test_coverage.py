from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sdmerge.tensors.coverage import Coverage

ranges = st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair)))


@settings(max_examples=200, deadline=None)
@given(st.lists(ranges, max_size=30))
def test_agrees_with_a_set_of_bytes(added: list[tuple[int, int]]) -> None:
    coverage, there = Coverage(), set[int]()
    for begin, end in added:
        new = set(range(begin, end))
        assert coverage.add(begin, end) == (not new & there)
        if not new & there:
            there |= new
    for begin in range(40):
        reach = begin
        while reach in there:
            reach += 1
        assert coverage.reach(begin) == reach
        assert coverage.covers(begin, begin + 3) == (there >= set(range(begin, begin + 3)))
