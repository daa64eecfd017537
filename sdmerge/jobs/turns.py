"""Turns: one at a time on a device; what somebody waits for at a screen goes first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator


class Turns:
    """A lock with two kinds of holders: a job, and those that are waited for."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._held = False
        self._first = 0

    @property
    def held(self) -> bool:
        """Whether somebody has the device."""
        return self._held

    @property
    def waiting(self) -> int:
        """How many of those that go first wait, or have the device."""
        return self._first

    @property
    def wanted(self) -> bool:
        """Whether somebody waits who goes first."""
        return self._first > 0

    @contextlib.contextmanager
    def job(self) -> Generator[None]:
        """The device for a job, which gives way now and then."""
        self._take(lambda: not self._held and not self._first)
        try:
            yield
        finally:
            self._leave()

    @contextlib.contextmanager
    def first(self) -> Generator[None]:
        """The device for what goes first: after what gives way next, and before any job."""
        with self._change:
            self._first += 1
        try:
            self._take(lambda: not self._held)
            try:
                yield
            finally:
                self._leave()
        finally:
            with self._change:
                self._first -= 1
                self._change.notify_all()

    def give_way(self) -> None:
        """Called by a job that has the device: lets everybody who waits go first."""
        if not self.wanted:
            return
        self._leave()
        self._take(lambda: not self._held and not self._first)

    def _take(self, free: Callable[[], bool]) -> None:
        with self._change:
            self._change.wait_for(free)
            self._held = True

    def _leave(self) -> None:
        with self._change:
            self._held = False
            self._change.notify_all()
