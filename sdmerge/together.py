"""Statistics over several tensors at once: of a block, or of a whole model.

What a method's `stats` finds out about one tensor it finds out about many, taken as one long one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from torch import Tensor

from sdmerge.fit import Found, Models
from sdmerge.method import Whole

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


def together(
    models: Models, scope: Scope, survey: Callable[[Whole], Tensor], *, passes: int = 1
) -> Iterator[Found]:
    """For every key what `survey` says of all tensors in its scope; it goes through them `passes`
    times.
    """
    looks, most = itertools.count(1), passes * len(models.shapes)

    def looked() -> None:
        models.report(min(1.0, next(looks) / most))

    groups: dict[str, list[str]] = {}
    for key in models.shapes:
        groups.setdefault(models.block(key) if scope == "block" else "", []).append(key)
    for keys in groups.values():
        found = survey(Together(models, keys, looked))
        for key in keys:
            yield key, found
