"""What methods that train or measure say of how it goes: while they do, and in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdmerge.cli.output import Advance, Output
    from sdmerge.merge import Progress

_Log = Mapping[str, Sequence[float]]


@dataclass
class FitLogs:
    """Takes a merge's progress, passes it on, and keeps the numbers that fits tell."""

    advance: Advance
    kept: dict[str, _Log] = field(default_factory=dict[str, _Log])

    def take(self, done: Progress) -> None:
        """Show how far it is, with the newest numbers."""
        if done.log:
            self.kept[done.what] = {name: [*numbers] for name, numbers in done.log.items()}
        newest = ", ".join(f"{name} {numbers[-1]:.3g}" for name, numbers in done.log.items())
        self.advance(done.written, done.of_bytes, f"{done.what} {newest}".strip())

    def show(self, output: Output) -> None:
        """A table per fit: each number at the start, half-way and in the end."""
        for what, log in self.kept.items():
            steps = max(len(numbers) for numbers in log.values())
            rows = [
                (name, *(f"{numbers[place]:.4g}" for place in (0, len(numbers) // 2, -1)))
                for name, numbers in log.items()
            ]
            output.table(f"{what}: {steps} steps", ("", "first", "half-way", "last"), rows)
