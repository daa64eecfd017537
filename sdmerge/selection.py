"""Selection over several tensors at once: the k-th magnitude of a block, or of a whole model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from sdmerge.fit import Models
from sdmerge.tally import smallest_kept


def kth_magnitudes(
    models: Models, groups: Mapping[str, str], counts: Callable[[int], Sequence[int]]
) -> dict[str, list[float]]:
    """Per group of tensors and model the smallest of its largest magnitudes; infinite for none.

    `groups` names each key's group; `counts` says of a number of elements how many each model
    keeps.
    """
    looks = itertools.count()

    def pieces(keys: Sequence[str], places: Sequence[int]) -> Iterator[list[np.ndarray]]:
        for key in keys:
            models.report(next(looks) / (2 * len(groups)))  # every tensor is looked at twice
            yield from models.whole(key).pieces(places)

    members: dict[str, list[str]] = {}
    for key, group in groups.items():
        members.setdefault(group, []).append(key)
    found: dict[str, list[float]] = {}
    for group, keys in members.items():
        size = sum(math.prod(models.shapes[key]) for key in keys)
        own = [[count] for count in counts(size)]
        found[group] = smallest_kept(partial(pieces, keys), own, size)[:, 0].tolist()
    return found
