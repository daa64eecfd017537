"""Selection over several tensors at once: the k-th magnitude, exact, in the memory of a histogram.

The bits of a non-negative float32, read as a whole number, are in the order of the floats. Two
looks at the tensors find the k-th largest: one counts the upper half of the bits, the other the
lower half among those that share the upper half with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sdmerge.fit import Models
from sdmerge.method import LEAF

_LOW_BITS = 15
_BINS = 1 << 16

Counts = np.ndarray


def kth_magnitudes(
    models: Models, groups: Mapping[str, str], counts: Callable[[int], Sequence[int]]
) -> dict[str, list[float]]:
    """Per group of tensors and model the smallest of its largest magnitudes; infinite for none.

    `groups` names each key's group; `counts` says of a number of elements how many each model
    keeps.
    """
    sizes = dict.fromkeys(groups.values(), 0)
    for key, group in groups.items():
        sizes[group] += int(np.prod(models.shapes[key], dtype=np.int64))
    kept = {group: counts(size) for group, size in sizes.items()}
    upper = _count(models, groups, lambda bits, _group, _place: bits >> _LOW_BITS, 0.0)
    tops = {group: _descend(upper[group], kept[group]) for group in sizes}

    def below(bits: np.ndarray, group: str, place: int) -> np.ndarray:
        inside = bits[bits >> _LOW_BITS == tops[group][place][0]]
        return inside & (1 << _LOW_BITS) - 1

    lower = _count(models, groups, below, 0.5)
    return {
        group: [
            _value(top, lower[group][place], count, sizes[group])
            for place, (top, count) in enumerate(zip(tops[group], kept[group], strict=True))
        ]
        for group in sizes
    }


def _count(
    models: Models,
    groups: Mapping[str, str],
    part: Callable[[np.ndarray, str, int], np.ndarray],
    done: float,
) -> dict[str, Counts]:
    """Per group histograms [n, bins] of a part of each magnitude's bits."""
    found = {
        group: np.zeros((len(models.names), _BINS), np.int64) for group in set(groups.values())
    }
    for number, (key, group) in enumerate(groups.items()):
        models.report(done + 0.5 * number / len(groups))
        whole = models.whole(key)
        for start in range(0, whole.numel, LEAF):
            stop = min(start + LEAF, whole.numel)
            for place in range(len(whole)):
                bits = whole.row(place, start, stop).abs().numpy().view(np.uint32)
                chosen = part(bits, group, place).astype(np.int64)
                found[group][place] += np.bincount(chosen, minlength=_BINS)
    return found


def _descend(histograms: Counts, counts: Sequence[int]) -> list[tuple[int, int]]:
    """Per model the bin, from the top, that the count-th lies in, and how many of it are taken."""
    found: list[tuple[int, int]] = []
    for histogram, count in zip(histograms, counts, strict=True):
        above = np.cumsum(histogram[::-1])
        place = min(int(np.searchsorted(above, max(count, 1))), _BINS - 1)
        taken = count - int(above[place - 1]) if place else count
        found.append((_BINS - 1 - place, taken))
    return found


def _value(top: tuple[int, int], histogram: np.ndarray, count: int, size: int) -> float:
    if count <= 0:
        return float("inf")
    if count >= size:
        return 0.0
    ((low, _),) = _descend(histogram[None], [top[1]])
    bits = np.array([top[0] << _LOW_BITS | low], np.uint32)
    return float(bits.view(np.float32)[0])
