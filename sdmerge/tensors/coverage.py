"""Which bytes of a file have been written."""

from __future__ import annotations

import bisect
import threading


class Coverage:
    """A growing set of disjoint ranges; neighbours melt into one."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._lock = threading.Lock()

    def add(self, begin: int, end: int) -> bool:
        """Whether [begin, end) was new; if any of it was there already, nothing changes."""
        if begin >= end:
            return True
        with self._lock:
            at = bisect.bisect_right(self._begins, begin)
            if at and self._ends[at - 1] > begin:
                return False
            if at < len(self._begins) and self._begins[at] < end:
                return False
            self._begins.insert(at, begin)
            self._ends.insert(at, end)
            self._join(at)
            if at:
                self._join(at - 1)
            return True

    def covers(self, begin: int, end: int) -> bool:
        """Whether all of [begin, end) is there."""
        return begin >= end or self.reach(begin) >= end

    def reach(self, begin: int) -> int:
        """The end of the unbroken range from `begin` on; `begin` if it is not there itself."""
        with self._lock:
            at = bisect.bisect_right(self._begins, begin)
            return max(begin, self._ends[at - 1]) if at else begin

    def _join(self, at: int) -> None:
        if at + 1 < len(self._begins) and self._ends[at] == self._begins[at + 1]:
            self._ends[at] = self._ends.pop(at + 1)
            del self._begins[at + 1]
