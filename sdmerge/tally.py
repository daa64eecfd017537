"""The k-th largest magnitude of a tensor; a large one is never held as a whole.

A float without its sign is ordered as its bits are, taken as an integer. So one pass counts the
upper halves of the bits, which says in which of 2**15 intervals the magnitude lies, and another the
lower halves within that interval: exact, and in a memory that does not grow with the tensor. Of a
small one the magnitudes are partitioned, which takes less time than a table of the intervals.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Pieces = Callable[[], Iterable[Sequence[np.ndarray]]]
"""Goes through the tensors, float32, once more: for each piece the elements of every tensor."""


FEW = 1 << 15
"""Elements of a small tensor."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Adds to a table how often each upper, or lower, half of the bits occurs."""

    high: Callable[[np.ndarray, np.ndarray], None]
    low: Callable[[np.ndarray, int, np.ndarray], None]


def _count_high(bits: np.ndarray, table: np.ndarray) -> None:
    table += np.bincount((bits >> 16) & 0x7FFF, minlength=len(table))


def _count_low(bits: np.ndarray, high: int, table: np.ndarray) -> None:
    inside = bits[(bits >> 16) & 0x7FFF == high]
    table += np.bincount(inside & 0xFFFF, minlength=len(table))


PLAIN = Tally(_count_high, _count_low)


def kth_magnitudes(
    pieces: Pieces, counts: Sequence[Sequence[int]], tally: Tally = PLAIN
) -> np.ndarray:
    """Per tensor and count the smallest of its `count` largest magnitudes [n, m], float32.

    Each tensor has so many elements.
    """
    tables = np.zeros((len(counts), 1 << 15), np.int64)
    for piece in pieces():
        for row, table in zip(piece, tables, strict=True):
            tally.high(row.view(np.uint32), table)
    places = [
        [_place(table, count) for count in own] for table, own in zip(tables, counts, strict=True)
    ]
    below = [{high: np.zeros(1 << 16, np.int64) for high, _ in own} for own in places]
    for piece in pieces():
        for row, own in zip(piece, below, strict=True):
            for high, table in own.items():
                tally.low(row.view(np.uint32), high, table)
    found = [
        [high << 16 | _place(tables[high], left)[0] for high, left in own]
        for tables, own in zip(below, places, strict=True)
    ]
    return np.array(found, np.uint32).view(np.float32)


def _partitioned(pieces: Pieces, counts: Sequence[Sequence[int]]) -> np.ndarray:
    """As `kth_magnitudes`, of tensors that are held as a whole."""
    # a piece is good until the next one is asked for; these are new arrays
    every = [[np.abs(row) for row in piece] for piece in pieces()]
    found: list[np.ndarray] = []
    for parts, own in zip(zip(*every, strict=True), counts, strict=True):
        magnitudes = np.concatenate(parts)
        places = len(magnitudes) - np.array(own)
        magnitudes.partition(np.unique(places))
        found.append(magnitudes[places])
    return np.stack(found)


def smallest_kept(
    pieces: Callable[[Sequence[int]], Iterable[Sequence[np.ndarray]]],
    counts: Sequence[Sequence[int]],
    numel: int,
    tally: Tally = PLAIN,
) -> np.ndarray:
    """Per tensor of `numel` elements and count the smallest of its `count` largest magnitudes.

    [n, m], float32; infinite for none, 0 for all of them. `pieces(places)` goes through the tensors
    at these places.
    """
    wanted = np.array(counts, np.int64)
    cuts = np.where(wanted <= 0, np.float32(np.inf), np.float32(0))
    within = (wanted > 0) & (wanted < numel)
    open_ = np.flatnonzero(within.any(axis=1)).tolist()
    if open_:
        clipped = wanted[open_].clip(1, numel).tolist()
        look = functools.partial(pieces, open_)
        few = numel <= FEW
        found = _partitioned(look, clipped) if few else kth_magnitudes(look, clipped, tally)
        cuts[open_] = np.where(within[open_], found, cuts[open_])
    return cuts


def _place(table: np.ndarray, count: int) -> tuple[int, int]:
    """In which bin the `count`-th largest lies, and which it is among the largest of that bin."""
    above = np.cumsum(table[::-1])
    place = int(np.searchsorted(above, count))
    found = len(table) - 1 - place
    return found, count - int(above[place] - table[found])
