"""Waiting for other processes: a condition, looked at until it holds, and a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str, seconds: float = 300.0) -> T:
    """The first true thing that `look` sees."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"waited {seconds:g} s: {what}"
        time.sleep(0.01)
    return seen
