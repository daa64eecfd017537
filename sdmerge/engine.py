"""The engine: one task in, one tensor out, in float32 and in slabs.

The bytes of a result depend on the task alone. Methods see slabs of a fixed layout, sums over whole
tensors run over fixed leaves (`Whole`), each task runs on one thread, and products that BLAS
computes are made by whole tensors with one thread.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from sdmerge.errors import InputError
from sdmerge.masks import Random, stream_key
from sdmerge.method import Method, Whole
from sdmerge.plan.tasks import Combine, Node, Read, Task
from sdmerge.tensors.dtypes import TORCH

SLAB = 1 << 18
"""Elements per slab: a few of them fit the cache beside the method's intermediates."""

Row = Callable[[int, int], Tensor]
"""Elements [start, stop) of an input as fresh or shared float32."""


class Readable(Protocol):
    """The part of a source that the engine needs."""

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Elements [start, stop) of `key`, flat."""
        ...


class Engine:
    """Computes tasks. Threads may share one; it keeps nothing between tasks."""

    def __init__(
        self,
        sources: Sequence[Readable],
        names: Sequence[str],
        methods: Mapping[str, Method],
        slab: int = SLAB,
    ) -> None:
        self._sources = sources
        self._names = names
        self._methods = methods
        self._slab = slab

    def run(self, task: Task) -> Tensor:
        """The task's tensor, flat, in its output dtype. NaN, infinity and overflow are errors."""
        dtype = TORCH[task.spec.dtype]
        if isinstance(task.node, Combine):
            return self._combine(task.node, task.key, task.spec.shape, dtype)
        stored = self._sources[task.node.source].read(task.key)
        return stored if stored.dtype == dtype else self._cast(stored, dtype, task)

    def _cast(self, stored: Tensor, dtype: torch.dtype, task: Task) -> Tensor:
        out = torch.empty(stored.numel(), dtype=dtype)
        for start, stop in self._slabs(stored.numel()):
            values = stored[start:stop].float()
            self._check_inputs(values[None], [(self._name(task.node), values)], task.key)
            store(values, out[start:stop], task.key)
        return out

    def _combine(
        self, node: Combine, key: str, shape: tuple[int, ...], dtype: torch.dtype
    ) -> Tensor:
        method = self._methods[node.method]
        base = self._load(node.base, key, shape) if node.base is not None else None
        inputs = [self._load(child, key, shape) for child in node.inputs]
        rows = [
            _row(node, child, tensor, base)
            for child, tensor in zip(node.inputs, inputs, strict=True)
        ]
        numel = math.prod(shape)
        named = [
            (self._name(child), tensor) for child, tensor in zip(node.inputs, inputs, strict=True)
        ]
        checked = [*named, (self._name(node.base), base)]
        stat = None
        if method.stats is not None:
            self._check_whole(checked, key)
            stat = method.survey(Whole(rows, numel), _values(node, 2))
        out = torch.empty(numel, dtype=dtype)
        streams = (
            [stream_key(node.seed, key, name) for name in node.names]
            if node.seed is not None
            else []
        )
        # a method that needs whole tensors gets one slab in the tensor's own shape
        pieces = self._slabs(numel) if method.spec.unit == "element" else iter([(0, numel)])
        rank = 2 if method.spec.unit == "element" else 1 + len(shape)
        for start, stop in pieces:
            stack = torch.stack([row(start, stop) for row in rows])
            self._check_inputs(
                stack,
                [(name, t[start:stop] if t is not None else None) for name, t in checked],
                key,
            )
            if method.spec.unit == "tensor":
                stack = stack.reshape(len(rows), *shape)
            random = Random(streams, start, stop) if method.spec.random else None
            merged = method.merge(stack, stat, random, _values(node, rank)).reshape(-1)
            if method.spec.space == "delta" and base is not None:
                merged = base[start:stop].float() + merged
            store(merged, out[start:stop], key)
        return out

    def _load(self, node: Node | None, key: str, shape: tuple[int, ...]) -> Tensor | None:
        """The node's tensor, flat: as stored for a read, float32 for a merge; None stays None."""
        if node is None:
            return None
        if isinstance(node, Read):
            return self._sources[node.source].read(key)
        return self._combine(node, key, shape, torch.float32)

    def _name(self, node: Node | None) -> str:
        if isinstance(node, Read):
            return self._names[node.source]
        return "an earlier stage" if node is not None else ""

    def _slabs(self, numel: int) -> Iterator[tuple[int, int]]:
        for start in range(0, numel, self._slab):
            yield start, min(start + self._slab, numel)

    def _check_whole(self, named: Sequence[tuple[str, Tensor | None]], key: str) -> None:
        for name, tensor in named:
            if tensor is not None:
                for start, stop in self._slabs(tensor.numel()):
                    values = tensor[start:stop].float()
                    self._check_inputs(values[None], [(name, values)], key)

    @staticmethod
    def _check_inputs(stack: Tensor, named: Sequence[tuple[str, Tensor | None]], key: str) -> None:
        """A NaN or an infinity in `stack` is an InputError that names the file and the tensor."""
        # the sum is finite only if all entries are, and much cheaper than looking at each
        if math.isfinite(float(stack.sum())):
            return
        for name, tensor in named:
            if tensor is not None and not torch.isfinite(tensor.float()).all():
                what = f"'{key}' holds NaN or infinite numbers"
                hint = "The file is damaged or its training diverged; merge without it, or take this component from another model."
                raise InputError(what, where=name, hint=hint)


def store(values: Tensor, out: Tensor, key: str) -> None:
    """Round float32 `values` into `out`; what the dtype cannot hold is an error, never infinity."""
    out.copy_(values)
    if out.dtype not in (torch.float32, torch.float64, torch.bfloat16):
        largest = float(values.abs().amax()) if values.numel() else 0.0
        limit = torch.finfo(out.dtype).max
        if largest > limit and not torch.isfinite(out.float()).all() or largest > limit * 1.0005:
            name = str(out.dtype).removeprefix("torch.")
            hint = "Store the result as bfloat16 or float32: dtype: bfloat16."
            raise InputError(f"'{key}' reaches {largest:g}; {name} ends at {limit:g}", hint=hint)


def _row(node: Combine, child: Node | None, tensor: Tensor | None, base: Tensor | None) -> Row:
    """The input as the method wants to see it: a difference from the base, or whole weights."""
    given_as_delta = isinstance(child, Read) and child.space == "delta"
    return functools.partial(_slice, tensor, base, given_as_delta, node.space == "delta")


def _slice(
    tensor: Tensor | None,
    base: Tensor | None,
    given_as_delta: bool,
    wanted_as_delta: bool,
    start: int,
    stop: int,
) -> Tensor:
    if tensor is None:
        assert base is not None, "an input without a tensor needs a base"
        reference = base[start:stop].float()
        return torch.zeros_like(reference) if wanted_as_delta else reference
    values = tensor[start:stop].float()
    if given_as_delta == wanted_as_delta:
        return values
    assert base is not None, "a difference needs a base"
    reference = base[start:stop].float()
    return values - reference if wanted_as_delta else reference + values


def _values(node: Combine, rank: int) -> dict[str, Any]:
    """Parameter values; one per model becomes a tensor that broadcasts against a stack of `rank`."""
    shape = (-1, *[1] * (rank - 1))
    return {
        name: torch.tensor(value, dtype=torch.float32).reshape(shape)
        if isinstance(value, tuple)
        else value
        for name, value in node.values
    }
