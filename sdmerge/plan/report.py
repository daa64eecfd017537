"""Report: what a plan will do, said before any tensor is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sdmerge.plan.settings import Taken


@dataclass(frozen=True, slots=True)
class ComponentReport:
    """How a component of the result comes about."""

    name: str
    tensors: int
    merged: int
    how: str


@dataclass(frozen=True, slots=True)
class Report:
    """Counts, bytes and everything a user might not expect. `notes` change what the result is."""

    family: str
    variant: str
    components: tuple[ComponentReport, ...]
    merged: int
    copied: int
    filters: tuple[Taken, ...]
    left_out: Mapping[str, tuple[str, ...]]
    """Per model the tensors of its file that play no part, such as EMA weights and position_ids."""
    read_bytes: int
    write_bytes: int
    peak_bytes: int
    notes: tuple[str, ...]
