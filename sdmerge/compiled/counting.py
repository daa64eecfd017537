"""Counting bit patterns: the two passes of a selection (see `tally`)."""

from __future__ import annotations

import numpy as np

from sdmerge.compiled.jit import jit


@jit
def count_high(bits: np.ndarray, table: np.ndarray) -> None:
    """Add to `table` [2**15] how often each upper half occurs, the sign left out."""
    for i in range(bits.size):
        table[(bits[i] >> 16) & 0x7FFF] += 1


@jit
def count_low(bits: np.ndarray, high: int, table: np.ndarray) -> None:
    """Add to `table` [2**16] how often each lower half occurs under the upper half `high`."""
    for i in range(bits.size):
        if (bits[i] >> 16) & 0x7FFF == high:
            table[bits[i] & 0xFFFF] += 1
