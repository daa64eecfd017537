"""Statistics over several tensors at once: of a block, or of a whole model.

What a method's `stats` finds out about one tensor it finds out about many, taken as one long one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from torch import Tensor

from sdmerge.fit import Found, Models
from sdmerge.place import Place
from sdmerge.tally import smallest_kept
from sdmerge.whole import Scores, Whole

Scope = Literal["tensor", "block", "model"]
"""Over what a statistic is taken; a model is all that one rule of a recipe merges."""


class Together(Whole):
    """Several tensors as one: what does not depend on a tensor's shape can be asked of it."""

    def __init__(self, models: Models, keys: Sequence[str], looked: Callable[[], None]) -> None:
        """`looked` is called before each look at a tensor."""
        super().__init__([], sum(math.prod(models.shapes[key]) for key in keys))
        self._models = models
        self._keys = keys
        self._looked = looked

    def __len__(self) -> int:
        return len(self._models.names)

    def _each(self) -> Iterator[Whole]:
        for key in self._keys:
            self._looked()
            yield self._models.whole(key)

    def leaves(self) -> Iterator[np.ndarray]:
        for whole in self._each():
            yield from whole.leaves()

    def pieces(self, places: Sequence[int]) -> Iterator[list[np.ndarray]]:
        for whole in self._each():
            yield from whole.pieces(places)

    def kth_largest(self, scores: Scores, counts: Sequence[Sequence[int]]) -> np.ndarray:
        """The same of scores that are not negative; they are worked out twice, and never kept."""

        def pieces(places: Sequence[int]) -> Iterator[list[np.ndarray]]:
            for leaf in self.leaves():
                length = leaf.shape[-1]
                made = scores(leaf, Place(0, length, (length,))).astype(np.float32)
                yield [made[place] for place in places]

        return smallest_kept(pieces, counts, self.numel, self._tally)


Survey = Callable[[Whole], Tensor | Mapping[str, Tensor]]


def together(models: Models, scope: Scope, survey: Survey, *, passes: int = 1) -> Iterator[Found]:
    """For every key that has elements what `survey` says of all tensors in its scope.

    It goes through them `passes` times.
    """
    groups: dict[str, list[str]] = {}
    for key, shape in models.shapes.items():
        if math.prod(shape):
            groups.setdefault(models.block(key) if scope == "block" else "", []).append(key)
    looks, most = itertools.count(1), passes * sum(map(len, groups.values()))

    def looked() -> None:
        models.report(min(1.0, next(looks) / most))

    for keys in groups.values():
        found = survey(Together(models, keys, looked))
        for key in keys:
            yield key, found
