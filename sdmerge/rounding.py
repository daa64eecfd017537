"""Stochastic rounding: up or down by chance, so that the mean of many numbers is kept.

A number between two that the dtype holds becomes the upper one with the probability of its share of
the way (Connolly, Higham and Mary, "Stochastic rounding and its probabilistic backward error
analysis", 2021, eq. 1.1). To the nearest, what a merge adds is lost wherever it is less than half a
step; so, a part of the numbers takes a whole step. The bits come from `masks`: they depend on the
seed, the tensor and the element's index, and on nothing else.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sdmerge.masks import stream_key, uniform_bits

_BLOCK = 1 << 13
"""Elements at a time: what is computed of them stays in the nearest caches."""

_STREAM = "\0rounding"
"""Stands where masks have a model's alias, which is never this."""


def rounding_stream(seed: int, key: str) -> int:
    """The stream of random numbers that rounds the tensor `key`."""
    return stream_key(seed, key, _STREAM)


@dataclass(frozen=True, slots=True)
class _Form:
    """A float dtype that is narrower than float32: what its bit patterns mean.

    Patterns of positive numbers count upwards as the numbers do, from 0, and the step between
    neighbours doubles with each exponent from `lowest` (biased as float32's are) on.
    """

    width: int
    fraction: int
    lowest: int
    largest: int
    signed_zero: bool


@functools.cache
def _form(dtype: torch.dtype) -> _Form:
    info = torch.finfo(dtype)
    largest = torch.tensor([info.max], dtype=dtype).view(_INTEGER[info.bits]).item()
    return _Form(
        width=info.bits,
        fraction=-round(math.log2(info.eps)),
        lowest=round(math.log2(info.smallest_normal)) + 127,
        largest=int(largest),
        # in the forms without a negative zero its pattern is NaN
        signed_zero=dtype not in (torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
    )


_INTEGER = {8: torch.uint8, 16: torch.int16}
_UNSIGNED = {8: np.uint8, 16: np.uint16}


def round_stochastically(values: Tensor, out: Tensor, stream: int, start: int) -> None:
    """Round float32 `values`, the elements from `start` on, into `out`, 8 or 16 bits wide.

    What `out` can hold stays as it is; nothing becomes larger than its largest number. The values
    are finite, and the chance is exact to 2⁻³² of a step.
    """
    form = _form(out.dtype)
    bits = values.contiguous().numpy().view(np.uint32)
    patterns = out.view(_INTEGER[form.width]).numpy().view(_UNSIGNED[form.width])
    for begin in range(0, len(bits), _BLOCK):
        end = min(begin + _BLOCK, len(bits))
        chances = uniform_bits(stream, start + begin, start + end)
        patterns[begin:end] = _rounded(bits[begin:end], chances, form)


def _rounded(bits: np.ndarray, chances: np.ndarray, form: _Form) -> np.ndarray:
    """The dtype's patterns for the bits of float32 numbers, given 32 random bits for each."""
    exponent = bits >> 23 & 0xFF
    significand = (bits & 0x7FFFFF | (exponent > 0).astype(np.uint32) << 23).astype(np.uint64)
    exponent = np.maximum(exponent, 1)
    step = np.maximum(exponent, form.lowest)
    dropped = step - exponent + (23 - form.fraction)
    # in steps of the dtype, with 32 bits after the point
    steps = significand << 39 >> np.minimum(dropped + 7, 63)
    steps += chances
    steps >>= 32
    pattern = np.minimum(steps + ((step - form.lowest) << form.fraction), form.largest)
    negative = bits >> 31 if form.signed_zero else bits >> 31 & (pattern > 0)
    return pattern | negative.astype(np.uint64) << (form.width - 1)
