"""What the kernels are made of: loops over one block, each element in the order of the plain body.

A block is short enough for the nearest cache, so that one pass over memory does for a whole method.
Sums start at -0, which leaves whatever comes first as it is.
"""

from __future__ import annotations

import numpy as np

from sdmerge.compiled.jit import jit

BLOCK = 2048
AFTER, BEFORE, COUNT = range(3)
VOTES = {"after": AFTER, "before": BEFORE, "count": COUNT}

_ZERO = np.float32(0)
_ONE = np.float32(1)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_U27, _U30, _U31, _U32 = (np.uint64(count) for count in (27, 30, 31, 32))


@jit
def cut_small(values: np.ndarray, cut: np.float32) -> None:
    """Zero what is smaller than `cut`."""
    for i in range(values.size):
        values[i] = values[i] if abs(values[i]) >= cut else _ZERO


@jit
def cut_outside(values: np.ndarray, low: np.float32, high: np.float32) -> None:
    """Zero what is smaller than `low` or larger than `high`."""
    for i in range(values.size):
        size = abs(values[i])
        values[i] = values[i] if low <= size <= high else _ZERO


@jit
def random_bits(stream: np.uint64, index: int) -> np.uint64:
    """The 32 random bits of one element (see masks)."""
    z = np.uint64(index) * _GOLDEN + stream
    z = (z ^ (z >> _U30)) * _MIX_1
    z = (z ^ (z >> _U27)) * _MIX_2
    return (z ^ (z >> _U31)) >> _U32


@jit
def drop(values: np.ndarray, stream: np.uint64, start: int, threshold: np.uint64) -> None:
    """Zero what the mask does not keep; `start` is the index of the first element."""
    for i in range(values.size):
        values[i] = values[i] if random_bits(stream, start + i) < threshold else _ZERO


@jit
def divide(values: np.ndarray, divisor: np.float32) -> None:
    """Divide."""
    for i in range(values.size):
        values[i] /= divisor


@jit
def add_weighted(values: np.ndarray, weight: np.float32, total: np.ndarray) -> None:
    """Add weight·values."""
    for i in range(values.size):
        total[i] += weight * values[i]


@jit
def add_votes(values: np.ndarray, weight: np.float32, vote: int, total: np.ndarray) -> None:
    """Add what the values say of the sign, by the rule `vote`."""
    if vote == BEFORE:
        for i in range(values.size):
            total[i] += values[i]
    elif vote == AFTER:
        for i in range(values.size):
            total[i] += weight * values[i]
    else:
        for i in range(values.size):
            x = weight * values[i]
            total[i] += (_ONE if x > _ZERO else _ZERO) - (_ONE if x < _ZERO else _ZERO)


@jit
def sign(values: np.ndarray) -> None:
    """1, 0 or -1."""
    for i in range(values.size):
        x = values[i]
        values[i] = (_ONE if x > _ZERO else _ZERO) - (_ONE if x < _ZERO else _ZERO)


@jit
def add_agreeing(
    values: np.ndarray, weight: np.float32, own_weight: np.float32, elected: np.ndarray,
    mixed: np.ndarray, shares: np.ndarray,
) -> None:  # fmt: skip
    """Add weight·values to `mixed` and |weight| to `shares` where own_weight·values agrees."""
    share = abs(weight)
    for i in range(values.size):
        agrees = (own_weight * values[i]) * elected[i] > _ZERO
        mixed[i] += weight * values[i] if agrees else _ZERO
        shares[i] += share if agrees else _ZERO


@jit
def mean(mixed: np.ndarray, shares: np.ndarray) -> None:
    """Mixed / shares where there are any, else 0."""
    for i in range(mixed.size):
        quotient = mixed[i] / shares[i]
        mixed[i] = quotient if shares[i] > _ZERO else _ZERO


@jit
def put_scaled(values: np.ndarray, scale: np.float32, out: np.ndarray) -> None:
    """scale·values."""
    for i in range(values.size):
        out[i] = scale * values[i]


@jit
def weighted_sum(
    deltas: np.ndarray, start: int, stop: int, weight: np.ndarray, below: np.float32,
    scale: np.float32, memory: np.ndarray,
) -> None:  # fmt: skip
    """The weighted sum of a block over `below`, scaled, into the first of the deltas."""
    mixed = memory[0, : stop - start]
    mixed[:] = -_ZERO
    for k in range(len(deltas)):
        add_weighted(deltas[k, start:stop], weight[k], mixed)
    divide(mixed, below)
    put_scaled(mixed, scale, deltas[0, start:stop])


@jit
def disjoint_mean(
    deltas: np.ndarray, start: int, stop: int, weight: np.ndarray, scale: np.float32, vote: int,
    normalize: bool, memory: np.ndarray,
) -> None:  # fmt: skip
    """Elect a sign per entry of a block and mix what agrees, into the first of the deltas."""
    # slices of one row are known to be contiguous, those of several rows are not
    elected, mixed, shares = (
        memory[0, : stop - start],
        memory[1, : stop - start],
        memory[2, : stop - start],
    )
    memory[:] = -_ZERO
    for k in range(len(deltas)):
        add_votes(deltas[k, start:stop], weight[k], vote, elected)
    sign(elected)
    for k in range(len(deltas)):
        own = _ONE if vote == BEFORE else weight[k]
        add_agreeing(deltas[k, start:stop], weight[k], own, elected, mixed, shares)
    if normalize:
        mean(mixed, shares)
    put_scaled(mixed, scale, deltas[0, start:stop])
