"""The order within a row that `rows.magnitude_ranks` goes by, in a time that grows with the width.

Entries fall into twice as many buckets as there are entries, by their share of the row's largest.
Where magnitudes are spread as those of weights are, few share a bucket, and a pass of insertions
puts these right. A bucket in which many lie, beside an outlier, is sorted before.
"""

from __future__ import annotations

import numpy as np

from sdmerge.compiled.jit import jit

SPREAD = 2
_MANY = 32
_HALF = np.uint64(32)


@jit
def magnitude_order(values: np.ndarray, starts: np.ndarray, keys: np.ndarray) -> None:
    """Into `keys` [width] the places of `values` from the smallest magnitude to the largest.

    Equal ones in the order in which they stand; the place is the lower half of a key. `starts`
    [SPREAD · width + 2] is memory to work in.
    """
    count = values.size
    largest = np.float32(0)
    for i in range(count):
        largest = max(largest, abs(values[i]))
    last = SPREAD * count - 1
    scale = np.float64(last) / np.float64(largest) if largest > 0 else np.float64(0)
    starts[:] = 0
    for i in range(count):
        starts[int(np.float64(abs(values[i])) * scale) + 2] += 1
    most = 0
    for bucket in range(2, last + 3):
        most = max(most, starts[bucket])
        starts[bucket] += starts[bucket - 1]
    # starts[b + 1] walks from the start of bucket b to its end, which is the start of the next
    bits = values.view(np.uint32)
    for i in range(count):
        bucket = int(np.float64(abs(values[i])) * scale) + 1
        size = np.uint64(bits[i] & np.uint32(0x7FFFFFFF))
        keys[starts[bucket]] = size << _HALF | np.uint64(i)
        starts[bucket] += 1
    if most > _MANY:
        _sort_large(keys, starts)
    for i in range(1, count):
        key = keys[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key


@jit
def _sort_large(keys: np.ndarray, starts: np.ndarray) -> None:
    for bucket in range(starts.size - 2):
        if starts[bucket + 1] - starts[bucket] > _MANY:
            own = keys[starts[bucket] : starts[bucket + 1]]
            own[:] = np.sort(own)
