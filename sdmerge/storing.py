"""Storing: float32 results in the dtype that a file has."""

from __future__ import annotations

import torch
from torch import Tensor

from sdmerge.errors import InputError
from sdmerge.rounding import round_stochastically, rounding_stream


def chance(seed: int | None, key: str) -> int | None:
    """The stream that rounds the tensor `key` by chance; None to round it to the nearest."""
    return None if seed is None else rounding_stream(seed, key)


def store(values: Tensor, out: Tensor, key: str, stream: int | None = None, start: int = 0) -> None:
    """Round float32 `values` into `out`; what the dtype cannot hold is an error, never infinity.

    To the nearest, or with a `stream` by chance: `start` is then the first element's index.
    """
    refuse_overflow(values, out.dtype, key)
    round_into(values, out, stream, start)


def round_into(values: Tensor, out: Tensor, stream: int | None, start: int = 0) -> None:
    """The same for values that the dtype can hold."""
    if stream is None:
        out.copy_(values)
    else:
        round_stochastically(values, out, stream, start)


def refuse_overflow(values: Tensor, dtype: torch.dtype, key: str) -> None:
    """Nothing if the dtype holds all values, else an InputError that names the tensor."""
    found = largest(values)
    if not found <= limit(dtype):
        name, end = str(dtype).removeprefix("torch."), torch.finfo(dtype).max
        hint = "Lower the weights, or store the result in a wider dtype: dtype: bfloat16."
        raise InputError(f"'{key}' reaches {found:g}; {name} ends at {end:g}", hint=hint)


def largest(values: Tensor) -> float:
    """The largest magnitude; NaN if there is one."""
    low, high = (float(end) for end in torch.aminmax(values))
    return max(-low, high)


def limit(dtype: torch.dtype) -> float:
    """What lies less than half a step beyond the largest number is rounded down to it."""
    numbers = torch.finfo(dtype)
    return numbers.max * (1 + numbers.eps / 4)
