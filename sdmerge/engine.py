"""The engine: one task in, one tensor out, in float32 and in slabs.

The bytes of a result depend on the task alone. Methods see slabs of a fixed layout, sums over whole
tensors run over fixed leaves (`Whole`), each task runs on one thread, and products that BLAS
computes are made by whole tensors with one thread.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from sdmerge.adapters.source import Operator
from sdmerge.errors import InputError, SdmergeError
from sdmerge.factored import Factored, Findings
from sdmerge.families.recognise import EXTRA
from sdmerge.lowrank import Factors
from sdmerge.manifest import Space, Unit
from sdmerge.masks import Random, stream_key
from sdmerge.method import Method, Whole, arguments
from sdmerge.place import Place
from sdmerge.plan.tasks import Apply, Combine, Difference, Moved, Node, Read, Task
from sdmerge.rounding import round_stochastically, rounding_stream
from sdmerge.scratch import Scratch
from sdmerge.tally import PLAIN, Tally
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.filling import filler_of
from sdmerge.tensors.spec import TensorSpec

SLAB = 1 << 18
"""Elements per slab: a few of them fit the cache beside the method's intermediates."""


_RANK: Mapping[Unit, int] = {"element": 1, "row": 2}
"""Dimensions of a slab; where it is the whole tensor, those of the tensor."""


def slabs(
    unit: Unit, shape: tuple[int, ...], size: int = SLAB
) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Where each slab of about `size` elements starts and stops, and the shape a method sees."""
    numel = math.prod(shape)
    if unit == "tensor":
        yield 0, numel, shape
        return
    rows = shape[0] if unit == "row" and len(shape) > 1 else 1
    width = 1 if unit == "element" else numel // rows
    step = width * max(1, size // width)
    for start in range(0, numel, step):
        stop = min(start + step, numel)
        count = (stop - start) // width
        yield start, stop, (count,) if unit == "element" else (count, width)


class Readable(Protocol):
    """The part of a source that the engine needs."""

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Elements [start, stop) of `key`, flat."""
        ...


Pieces = Callable[[int, int], Tensor]
"""(start, stop) → those elements as they are stored, good until the next call."""


@dataclass(frozen=True, slots=True)
class _Operand:
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
class _Operands:
    """The inputs of one merge and its base, seen in the space of the method."""

    inputs: tuple[_Operand, ...]
    base: _Operand | None
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
        for row, operand in zip(stack, self.inputs, strict=True):
            operand.seen_as(self.space, base, start, stop, row)
        self._check(stack, base, start, stop)
        return stack, base

    def whole(self, shape: tuple[int, ...]) -> Whole:
        """The inputs, each to be read in pieces of any size."""
        rows = [functools.partial(self._row, row) for row in range(len(self.inputs))]
        return Whole(rows, math.prod(shape), shape, self.tally)

    def _check(self, stack: Tensor, base: Tensor | None, start: int, stop: int) -> None:
        """A NaN or an infinity is an InputError that names the file and the tensor."""
        # a sum is finite only if all entries are, and much cheaper than looking at each
        sums = [float(values.sum()) for values in (stack, base) if values is not None]
        if all(math.isfinite(one) for one in sums):
            return
        for operand in (*self.inputs, *([self.base] if self.base else [])):
            if operand.pieces is not None:
                refuse_unsound(operand.pieces(start, stop), operand.name, self.key)

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
        self._check(out, None, start, stop)
        return out


class Engine:
    """Computes tasks. Threads may share one; between tasks it keeps no more than scratch memory."""

    def __init__(
        self,
        sources: Sequence[Readable],
        names: Sequence[str],
        methods: Mapping[str, Method],
        slab: int = SLAB,
        fits: Sequence[Findings] = (),
        *,
        tally: Tally = PLAIN,
    ) -> None:
        self._fits = fits
        self._factored = Factored(sources, methods, fits)
        self._sources = sources
        self._names = names
        self._methods = methods
        self._slab = slab
        self._tally = tally
        self._scratch = Scratch()

    def run(self, task: Task) -> Tensor:
        """The task's tensor, flat, in its output dtype. NaN, infinity and overflow are errors."""
        if isinstance(task.node, Moved):
            return self.run(replace(task, key=task.node.key, node=task.node.node))
        dtype = TORCH[task.spec.dtype]
        if isinstance(task.node, Combine):
            return self._combine(task.node, task.key, task.spec.shape, dtype, seed=task.seed)
        if isinstance(task.node, Apply):
            changed = self._apply(task.node, task.key, task.spec.shape)
            return changed if dtype == changed.dtype else self._copy(changed, dtype, task)
        if isinstance(task.node, Difference):
            values = self.difference(task.node.node, task.node.base, task.key, task.spec.shape)
            out = torch.empty(values.numel(), dtype=dtype)
            store(values.reshape(-1), out, task.key, _rounding(task.seed, task.key))
            return out
        stored = self._sources[task.node.source].read(task.key)
        # what no component takes may be anything, for instance a mask of infinities
        if not task.spec.is_float or (task.key.startswith(EXTRA) and stored.dtype == dtype):
            return stored
        return self._copy(stored, dtype, task)

    def whole(self, node: Combine, key: str, shape: tuple[int, ...]) -> Whole:
        """The inputs of a merge as its method sees them, sound, to be read in pieces."""
        # its rows may be looked at beside those of other tensors
        return self._operands(node, key, shape, Scratch()).whole(shape)

    def tensor(self, node: Node, key: str, shape: tuple[int, ...]) -> Tensor:
        """What a node gives for `key`, in float32 and in its shape."""
        return self.run(Task(key, TensorSpec("F32", shape), node)).reshape(shape)

    def factors(
        self, node: Node, base: Node | None, key: str, shape: tuple[int, ...]
    ) -> Factors | None:
        """What `node` adds to `base`, as factors of [out, rest]; None where it has no low rank.

        Without a base, what the node gives: then all inputs are changes.
        """
        return self._factored.change(node, base, key, shape)

    def difference(self, node: Node, base: Node | None, key: str, shape: tuple[int, ...]) -> Tensor:
        """What `node` adds to `base`, number by number: float32, in its shape."""
        if isinstance(node, Combine) and node.space == "delta" and node.base == base:
            # the base would be read for nothing, or only to be taken away again
            alone = all(one is None or _is_change(one) for one in node.inputs)
            merge = replace(node, base=None) if alone else node
            return self._combine(merge, key, shape, torch.float32, onto_base=False).reshape(shape)
        found = self.tensor(node, key, shape)
        return found if base is None or _is_change(node) else found - self.tensor(base, key, shape)

    def slabs(self, task: Task) -> Iterator[tuple[Tensor, Tensor | None]]:
        """What a merge sees: its inputs [n, elements] in the method's space, and the base, float32.

        Slab by slab; each is good until the next.
        """
        assert isinstance(task.node, Combine), "only a merge has inputs"
        operands = self._operands(task.node, task.key, task.spec.shape, Scratch())
        for start, stop in self._slabs(task.spec.numel):
            stack, base = operands.slab(start, stop)
            yield stack, base

    def _copy(self, stored: Tensor, dtype: torch.dtype, task: Task) -> Tensor:
        same, stream = stored.dtype == dtype, _rounding(task.seed, task.key)
        out = stored if same else torch.empty(stored.numel(), dtype=dtype)
        for start, stop in self._slabs(stored.numel()):
            refuse_unsound(stored[start:stop], self._name(task.node), task.key)
            if not same:
                store(stored[start:stop].float(), out[start:stop], task.key, stream, start)
        return out

    def _combine(
        self, node: Combine, key: str, shape: tuple[int, ...], dtype: torch.dtype,
        *, seed: int | None = None, onto_base: bool = True,
    ) -> Tensor:  # fmt: skip
        method, numel = self._methods[node.method], math.prod(shape)
        rounding = _rounding(seed, key)
        operands = self._operands(node, key, shape, self._scratch)
        streams = self._streams(node, key)
        out = torch.empty(numel, dtype=dtype)
        if numel == 0:
            return out
        unit = method.spec.unit
        values = arguments(node.values, 1 + _RANK.get(unit, len(shape)), torch.float32)
        stat = self._survey(method, node, key, operands, shape)
        for start, stop, slab_shape in slabs(unit, shape, self._slab):
            stack, base = operands.slab(start, stop)
            random = Random(streams, start, stop, slab_shape) if method.spec.random else None
            place = Place(start, stop, shape)
            merged = method.merge(stack.reshape(-1, *slab_shape), stat, place, random, values)
            if merged.shape != slab_shape:
                shapes = f"{list(merged.shape)} for {list(slab_shape)}"
                raise SdmergeError(f"the method {method.name} gives {shapes}", where=key)
            merged = merged.reshape(-1)
            if node.space == "delta" and base is not None and onto_base:
                merged = base + merged
            store(merged, out[start:stop], key, rounding, start)
        return out

    def _operands(
        self, node: Combine, key: str, shape: tuple[int, ...], scratch: Scratch
    ) -> _Operands:
        return _Operands(
            inputs=tuple(self._operand(child, key, shape) for child in node.inputs),
            base=None if node.base is None else self._operand(node.base, key, shape),
            space=node.space,
            key=key,
            scratch=scratch,
            tally=self._tally,
        )

    def _operand(self, node: Node | None, key: str, shape: tuple[int, ...]) -> _Operand:
        """The node's elements: as stored for a read, float32 for a merge; None stays None."""
        if node is None:
            return _Operand(None, "delta", "")
        if isinstance(node, Read):
            assert node.space != "operator", "an operator is applied"
            return _Operand(self._pieces(node.source, key), node.space, self._name(node))
        merged = self.tensor(node, key, shape).reshape(-1)
        return _Operand(lambda start, stop: merged[start:stop], "weight", self._name(node))

    def _apply(self, node: Apply, key: str, shape: tuple[int, ...]) -> Tensor:
        """The tensor below the node as the source changes it, flat, float32, sound."""
        source, weight = self._sources[node.source], self.tensor(node.to, key, shape)
        assert isinstance(source, Operator), "only a LoRA is applied"
        changed = source.apply(key, weight)
        if node.weight != 1:
            changed = weight + node.weight * (changed - weight)
        refuse_unsound(changed, self._name(node), key)
        return changed.reshape(-1)

    def _pieces(self, number: int, key: str) -> Pieces:
        """A source's elements; what cannot be read in slices is read whole, and at once."""
        source = self._sources[number]
        filler = filler_of(source, key)
        if filler is None:
            whole = source.read(key)
            return lambda start, stop: whole[start:stop]

        def piece(start: int, stop: int) -> Tensor:
            out = self._scratch.take("piece", filler.dtype, stop - start)
            filler.fill(out, start)
            return out

        return piece

    def _survey(
        self,
        method: Method,
        node: Combine,
        key: str,
        operands: _Operands,
        shape: tuple[int, ...],
    ) -> Any:
        """What the method wants to know of the whole tensors. Its parameters are float64 there."""
        if node.fit is not None:
            return self._fits[node.fit].of(key)
        if method.stats is None:
            return None
        return method.survey(operands.whole(shape), arguments(node.values, 2, torch.float64))

    @staticmethod
    def _streams(node: Combine, key: str) -> list[int]:
        if node.seed is None:
            return []
        return [stream_key(node.seed, key, name) for name in node.names]

    def _name(self, node: Node | Difference) -> str:
        alone = isinstance(node, Read | Apply)
        return self._names[node.source] if alone else "an earlier stage"

    def _slabs(self, numel: int) -> Iterator[tuple[int, int]]:
        for start in range(0, numel, self._slab):
            yield start, min(start + self._slab, numel)


def _is_change(node: Node) -> bool:
    return isinstance(node, Read) and node.space == "delta"


def refuse_unsound(values: Tensor, name: str, key: str) -> None:
    """Nothing if all values are finite, else an InputError that names the model and the tensor."""
    if not torch.isfinite(values.float()).all():
        hint = (
            "The file is damaged or its training diverged. Take the component from another model."
        )
        raise InputError(f"'{key}' holds NaN or infinite numbers", where=name, hint=hint)


def _rounding(seed: int | None, key: str) -> int | None:
    return None if seed is None else rounding_stream(seed, key)


def store(values: Tensor, out: Tensor, key: str, stream: int | None = None, start: int = 0) -> None:
    """Round float32 `values` into `out`; what the dtype cannot hold is an error, never infinity.

    To the nearest, or with a `stream` by chance: `start` is then the first element's index.
    """
    low, high = (float(end) for end in torch.aminmax(values))
    limit, step = torch.finfo(out.dtype).max, torch.finfo(out.dtype).eps
    largest = max(-low, high)
    # what lies less than half a step beyond the largest number is rounded down to it
    if not largest <= limit * (1 + step / 4):
        name = str(out.dtype).removeprefix("torch.")
        hint = "Lower the weights, or store the result in a wider dtype: dtype: bfloat16."
        raise InputError(f"'{key}' reaches {largest:g}; {name} ends at {limit:g}", hint=hint)
    if stream is None:
        out.copy_(values)
    else:
        round_stochastically(values, out, stream, start)
