"""Operands: the inputs of a merge as its method sees them, in float32, slab by slab."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sdmerge.errors import InputError
from sdmerge.manifest import Space
from sdmerge.scratch import Scratch
from sdmerge.tally import Tally
from sdmerge.whole import Whole

SLAB = 1 << 18
"""Elements per slab: a few of them fit the cache beside the method's intermediates."""

Pieces = Callable[[int, int], Tensor]
"""(start, stop) → those elements as they are stored, good until the next call."""


@dataclass(frozen=True, slots=True)
class Operand:
    """An input as it was given: its elements, or None for one that does not differ from the base.

    `name` is the file, for complaints.
    """

    pieces: Pieces | None
    space: Space
    name: str

    def seen_as(
        self, space: Space, base: Tensor | None, start: int, stop: int, out: Tensor
    ) -> Tensor:
        """Elements [start, stop) in `out`, as weights or as a difference from the base's slab."""
        if self.pieces is None:
            # without a base there are changes alone, and this one changes nothing
            return out.zero_() if space == "delta" or base is None else out.copy_(base)
        out.copy_(self.pieces(start, stop))
        if self.space == space or base is None:
            return out
        return out.sub_(base) if space == "delta" else out.add_(base)


@dataclass(frozen=True, slots=True)
class Operands:
    """The inputs of one merge and its base, seen in the space of the method."""

    inputs: tuple[Operand, ...]
    base: Operand | None
    space: Space
    key: str
    scratch: Scratch
    tally: Tally
    held: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Where the base's slab in the scratch memory lies, once there is one."""

    def slab(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """The inputs [n, stop - start] and the base, float32, sound, good until the next call."""
        base = self._base(start, stop)
        stack = self.scratch.take("stack", torch.float32, len(self.inputs), stop - start)
        self._see(stack, base, start, stop)
        self.check(stack, base, start, stop)
        return stack, base

    def fill(self, stack: Tensor, base: Tensor | None) -> None:
        """The whole of both, in memory of the caller's, who has it checked."""
        stop = stack.shape[1]
        if base is not None:
            assert self.base is not None, "memory for a base that there is none of"
            assert self.base.pieces is not None, "a base differs from nothing"
            base.copy_(self.base.pieces(0, stop))
        self._see(stack, base, 0, stop)

    def whole(self, shape: tuple[int, ...]) -> Whole:
        """The inputs, each to be read in pieces of any size."""
        rows = [functools.partial(self._row, row) for row in range(len(self.inputs))]
        return Whole(rows, math.prod(shape), shape, self.tally)

    def check(self, stack: Tensor, base: Tensor | None, start: int, stop: int) -> None:
        """A NaN or an infinity is an InputError that names the file and the tensor."""
        if is_sound(stack, base):
            return
        for operand in (*self.inputs, *([self.base] if self.base else [])):
            if operand.pieces is not None:
                refuse_unsound(operand.pieces(start, stop), operand.name, self.key)

    def _see(self, stack: Tensor, base: Tensor | None, start: int, stop: int) -> None:
        for row, operand in zip(stack, self.inputs, strict=True):
            operand.seen_as(self.space, base, start, stop, row)

    def _base(self, start: int, stop: int) -> Tensor | None:
        if self.base is None or self.base.pieces is None:
            return None
        out = self.scratch.take("base", torch.float32, stop - start)
        if self.held != [(start, stop)] or stop - start > SLAB:
            out.copy_(self.base.pieces(start, stop))
            self.held[:] = [(start, stop)]
        return out

    def _row(self, row: int, start: int, stop: int) -> Tensor:
        # rows of one piece are looked at side by side
        out = self.scratch.take(f"row {row}", torch.float32, stop - start)
        base = self._base(start, stop)
        self.inputs[row].seen_as(self.space, base, start, stop, out)
        self.check(out, None, start, stop)
        return out


def is_sound(*tensors: Tensor | None) -> bool:
    """Whether all values are surely finite; False may be a sum that runs over."""
    # a sum is finite only if all entries are, and much cheaper than looking at each
    return all(math.isfinite(float(values.sum())) for values in tensors if values is not None)


def refuse_unsound(values: Tensor, name: str, key: str) -> None:
    """Nothing if all values are finite, else an InputError that names the model and the tensor."""
    if not torch.isfinite(values.float()).all():
        hint = (
            "The file is damaged or its training diverged. Take the component from another model."
        )
        raise InputError(f"'{key}' holds NaN or infinite numbers", where=name, hint=hint)
