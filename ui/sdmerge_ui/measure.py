"""Measure: how far two models are from each other, block by block, as a job that reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sdmerge_ui.library import InputError
from sdmerge_ui.place import Place

_METHOD = "task_arithmetic"


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement: its job as long as it runs, then the difference per block.

    shares: The length of what `second` changes, as a share of the length of `first`.
    """

    first: str = ""
    second: str = ""
    number: int | None = None
    shares: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)
    error: str = ""

    def looked(self, place: Place) -> Measured:
        """The measurement as it is now."""
        if self.number is None:
            return self
        job = place.jobs.get(self.number)
        if not job.over:
            return self
        result = place.jobs.result(self.number)
        if job.state != "done" or result is None:
            return replace(self, number=None, error=str(job.error or job.state))
        blocks = result["analysis"]["blocks"]
        shares = {
            label: next(iter(one["relative_norm"].values())) or 0.0 for label, one in blocks.items()
        }
        place.differences[self.first, self.second] = shares
        return replace(self, number=None, shares=shares)


def started(place: Place, first: str, second: str) -> Measured:
    """The measurement of how `second` differs from `first`; it is a job unless it is known."""
    if not first or not second or first == second:
        raise InputError("two models are compared", hint="Choose two different ones.")
    for name in (first, second):
        place.confined.check(name)
    if known := place.differences.get((first, second)):
        return Measured(first, second, shares=known)
    asked = ["plan", second, "--base", first, "--method", _METHOD, "--analyse", *place.flags]
    job = place.jobs.submit(place.request(*asked), title=f"{first} ↔ {second}")
    return Measured(first, second, job.number)
