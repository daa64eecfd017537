"""Whole: the tensors of one merge, seen whole, in leaves of fixed size.

What a method needs to know of them before it starts is summed leaf by leaf in order, so that no
slab and no thread changes a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from sdmerge.place import Part, Place
from sdmerge.tally import PLAIN, Tally, smallest_kept

LEAF = 1 << 16
"""Elements per leaf of a sum over a tensor: fixed, so that no slab and no thread changes a sum."""

_PIECE = 1 << 18
"""Elements read at once where their order does not matter."""


Quantity = Callable[[np.ndarray], np.ndarray]
"""What is made of a leaf [n, length]: rows of the same length, element by element."""

Scores = Callable[[np.ndarray, Place], np.ndarray]
"""The same, of a leaf that knows where it lies."""


class Whole:
    """The whole tensors of one merge, for what a method needs to know of them before it starts.

    `rows` give elements of each tensor, in float32 and good until the next piece is asked for.
    """

    def __init__(
        self,
        rows: Sequence[Callable[[int, int], Tensor]],
        numel: int,
        shape: tuple[int, ...] | None = None,
        tally: Tally = PLAIN,
    ) -> None:
        self._rows = rows
        self._tally = tally
        self.numel = numel
        self.shape = (numel,) if shape is None else shape

    def __len__(self) -> int:
        return len(self._rows)

    def leaves(self) -> Iterator[np.ndarray]:
        """The stacked tensors [n, up to 2**16] in float64, leaf by leaf."""
        for place in self.places():
            yield self._leaf(place)

    def places(self) -> Iterator[Place]:
        """Where the leaves lie; an empty tensor is one empty leaf."""
        for start in range(0, max(self.numel, 1), LEAF):
            yield Place(start, min(start + LEAF, self.numel), self.shape)

    def _leaf(self, place: Place) -> np.ndarray:
        rows = [row(place.start, place.stop).numpy() for row in self._rows]
        return np.stack([row.astype(np.float64) for row in rows])

    def row(self, place: int, start: int, stop: int) -> Tensor:
        """The elements [start, stop) of one of the tensors, float32."""
        return self._rows[place](start, stop)

    def gram(self) -> np.ndarray:
        """The inner products [n, n] of the tensors, in float64."""
        return self._pairs(np.multiply)

    def squared_distances(self) -> np.ndarray:
        """The squared distances [n, n] between the tensors, in float64, without cancellation."""
        return self._pairs(lambda left, right: np.square(left - right))

    def _pairs(self, term: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """The sums [n, n] of a symmetric term over every pair of tensors."""
        sums = np.zeros((len(self), len(self)))
        for leaf in self.leaves():
            for i, left in enumerate(leaf):
                for j, right in enumerate(leaf[: i + 1]):
                    sums[i, j] += np.add.reduce(term(left, right))
        return sums + np.tril(sums, -1).T

    def gram_by(self, part: Part) -> np.ndarray:
        """The inner products [parts, n, n] within each row or column, in float64."""
        places = [(i, j) for i in range(len(self)) for j in range(i + 1)]
        sums = self.sum_by(part, lambda leaf: [leaf[i] * leaf[j] for i, j in places])
        products = np.zeros((sums.shape[1], len(self), len(self)))
        for (i, j), one in zip(places, sums, strict=True):
            products[:, i, j] = products[:, j, i] = one
        return products

    def sum_by(self, part: Part, terms: Callable[[np.ndarray], Sequence[np.ndarray]]) -> np.ndarray:
        """The sums [m, parts] within each row or column of the m `terms` of a leaf, in float64."""
        sums: np.ndarray | float = 0.0
        for place in self.places():
            index, count = place.of(part).numpy(), place.count(part)
            found = [np.bincount(index, one, count) for one in terms(self._leaf(place))]
            sums = sums + np.stack(found)
        return np.asarray(sums)

    def sums(self, quantity: Quantity) -> np.ndarray:
        """The sum of each row of `quantity` over the whole tensor, in float64."""
        return sum((np.add.reduce(quantity(leaf), axis=-1) for leaf in self.leaves()), np.zeros(1))

    def extremes(self, quantity: Quantity) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest value of each row of `quantity`."""
        lows, highs = zip(
            *((made.min(-1), made.max(-1)) for made in map(quantity, self.leaves())), strict=True
        )
        return np.stack(lows).min(0), np.stack(highs).max(0)

    def kth_largest(self, scores: Scores, counts: Sequence[Sequence[int]]) -> np.ndarray:
        """For each row of `scores` the smallest of its `count` largest, for several counts.

        Float32 of the shape of `counts` [rows, k], infinite for none. What is compared with it has
        to be rounded to float32 as well.
        """
        ranks = np.maximum(self.numel - np.asarray(counts), 0)
        values = np.empty((len(ranks), self.numel), np.float32)
        for place in self.places():
            values[:, place.start : place.stop] = scores(self._leaf(place), place)
        found = np.full(ranks.shape, np.inf, np.float32)
        for row, rank, kept in zip(values, ranks, found, strict=True):
            some = rank < self.numel
            if some.any():
                row.partition(np.unique(rank[some]))
                kept[some] = row[rank[some]]
        return found

    def kth_magnitudes(self, counts: Sequence[Sequence[int]]) -> Tensor:
        """Per tensor and count the smallest of its `count` largest magnitudes, infinite for none.

        From [n][m] counts to [n, m].
        """
        cuts = smallest_kept(self.pieces, counts, self.numel, self._tally)
        return torch.from_numpy(cuts)  # pyright: ignore[reportUnknownMemberType]

    def pieces(self, places: Sequence[int]) -> Iterator[list[np.ndarray]]:
        """The elements of the tensors at `places`, float32, piece by piece."""
        for start in range(0, self.numel, _PIECE):
            stop = min(start + _PIECE, self.numel)
            rows = (self._rows[place](start, stop).numpy() for place in places)
            yield [row.astype(np.float32, copy=False) for row in rows]
