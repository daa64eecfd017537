"""Progress: how far a search is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """An evaluation that is done.

    what: "baselines", "generation 3", "validation" or "look".
    done: What this run has done of `of`: baselines, and after them candidates (of 0: nobody knows).
    trials: Candidates evaluated in all runs. best: The incumbent's score, once there is one.
    seconds_left: At the rate of this run; None while nothing can be said.
    alarm: What is to be known at once, such as over-fitting.
    """

    what: str
    done: int
    of: int
    trials: int
    best: float | None = None
    seconds_left: float | None = None
    alarm: str = ""


Told = Callable[[Progress], None]
