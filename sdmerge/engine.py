"""The engine: one task in, one tensor out, in float32 and in slabs.

The bytes of a result depend on the task alone. Methods see slabs of a fixed layout, sums over whole
tensors run over fixed leaves (`Whole`), each task runs on one thread, and products that BLAS
computes are made by whole tensors with one thread.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from sdmerge.adapters.source import Operator
from sdmerge.errors import SdmergeError
from sdmerge.factored import Factored, Findings
from sdmerge.families.recognise import EXTRA
from sdmerge.lowrank import Factors
from sdmerge.manifest import Unit
from sdmerge.masks import Random, stream_key
from sdmerge.method import Method, arguments
from sdmerge.operands import SLAB, Operand, Operands, Pieces, is_sound, refuse_unsound
from sdmerge.place import Place
from sdmerge.plan.tasks import Apply, Combine, Difference, Moved, Node, Read, Task
from sdmerge.scratch import Scratch
from sdmerge.storing import chance, largest, limit, refuse_overflow, round_into, store
from sdmerge.tally import PLAIN, Tally
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.filling import filler_of
from sdmerge.tensors.spec import TensorSpec
from sdmerge.whole import Whole

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


@dataclass(frozen=True, slots=True)
class _Work:
    """A method about to merge the tensor `key`, slab by slab, with its parameters."""

    method: Method
    key: str
    shape: tuple[int, ...]
    values: Mapping[str, Any]
    stat: Any = None
    streams: Sequence[int] = ()

    def slab(self, stack: Tensor, start: int, stop: int, seen: tuple[int, ...]) -> Tensor:
        """The elements [start, stop), flat, of the inputs there, as the method sees them."""
        method = self.method
        random = Random(self.streams, start, stop, seen) if method.spec.random else None
        place = Place(start, stop, self.shape)
        merged = method.merge(stack.reshape(-1, *seen), self.stat, place, random, self.values)
        if merged.shape != seen:
            shapes = f"{list(merged.shape)} for {list(seen)}"
            raise SdmergeError(f"the method {method.name} gives {shapes}", where=self.key)
        return merged.reshape(-1)


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
            store(values.reshape(-1), out, task.key, chance(task.seed, task.key))
            return out
        stored = self._sources[task.node.source].read(task.key)
        # what no component takes may be anything, for instance a mask of infinities
        if not task.spec.is_float or (task.key.startswith(EXTRA) and stored.dtype == dtype):
            return stored
        return self._copy(stored, dtype, task)

    def run_all(self, tasks: Sequence[Task]) -> list[Tensor]:
        """What `run` gives for each, byte for byte; tensors that are merged alike take less time.

        All elementwise ones are in memory at once, so they should be small.
        """
        groups: defaultdict[object, list[Task]] = defaultdict(list)
        for task in tasks:
            groups[self._likeness(task)].append(task)
        found: dict[str, Tensor] = {}
        for group in groups.values():
            if len(group) == 1:
                found[group[0].key] = self.run(group[0])
            else:
                found.update(self._merged_alike(group))
        return [found[task.key] for task in tasks]

    def _likeness(self, task: Task) -> object:
        """Equal for merges that can be done side by side: elementwise ones, in the same way."""
        node = task.node
        if not isinstance(node, Combine) or not task.spec.numel:
            return task.key
        elementwise = self._methods[node.method].spec.unit == "element"
        return (node, task.spec.dtype) if elementwise else task.key

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
        same, stream = stored.dtype == dtype, chance(task.seed, task.key)
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
        numel, rounding = math.prod(shape), chance(seed, key)
        operands = self._operands(node, key, shape, self._scratch)
        out = torch.empty(numel, dtype=dtype)
        if numel == 0:
            return out
        unit = self._methods[node.method].spec.unit
        values = arguments(node.values, 1 + _RANK.get(unit, len(shape)), torch.float32)
        work = self._work(node, key, shape, operands.whole(shape), values)
        for start, stop, slab_shape in slabs(unit, shape, self._slab):
            stack, base = operands.slab(start, stop)
            merged = work.slab(stack, start, stop, slab_shape)
            if node.space == "delta" and base is not None and onto_base:
                merged = base + merged
            store(merged, out[start:stop], key, rounding, start)
        return out

    def _merged_alike(self, tasks: Sequence[Task]) -> Iterator[tuple[str, Tensor]]:
        """Tensors that are merged alike, by key: laid end to end, so that most of what a small one
        costs is paid once.
        """
        node, dtype = tasks[0].node, TORCH[tasks[0].spec.dtype]
        assert isinstance(node, Combine), "only merges are alike"
        ends = list(itertools.accumulate(task.spec.numel for task in tasks))
        spans = [slice(end - task.spec.numel, end) for task, end in zip(tasks, ends, strict=True)]
        stack, base = self._end_to_end(node, tasks, spans)
        merged = self._side_by_side(node, tasks, spans, stack)
        if node.space == "delta" and base is not None:
            merged = base + merged
        fit = largest(merged) <= limit(dtype)
        for task, span in zip(tasks, spans, strict=True):
            out = torch.empty(task.spec.numel, dtype=dtype)
            if not fit:
                refuse_overflow(merged[span], dtype, task.key)
            round_into(merged[span], out, chance(task.seed, task.key))
            yield task.key, out

    def _end_to_end(
        self, node: Combine, tasks: Sequence[Task], spans: Sequence[slice]
    ) -> tuple[Tensor, Tensor | None]:
        """The inputs [n, elements of all tasks] and the base, float32 and sound."""
        # merges of earlier stages are done here, so all of them before the memory is used
        every = [self._operands(node, task.key, task.spec.shape, self._scratch) for task in tasks]
        count = spans[-1].stop
        stack = self._scratch.take("stack", torch.float32, len(node.inputs), count)
        base = self._scratch.take("base", torch.float32, count) if node.base is not None else None
        parts = [(stack[:, span], None if base is None else base[span]) for span in spans]
        for operands, (inputs, below) in zip(every, parts, strict=True):
            operands.fill(inputs, below)
        if not is_sound(stack, base):
            for operands, (inputs, below) in zip(every, parts, strict=True):
                operands.check(inputs, below, 0, inputs.shape[1])
        return stack, base

    def _side_by_side(
        self, node: Combine, tasks: Sequence[Task], spans: Sequence[slice], stack: Tensor
    ) -> Tensor:
        """The method's results: at once if it looks at nothing but elements, else one by one."""
        method, count = self._methods[node.method], stack.shape[1]
        values = arguments(node.values, 2, torch.float32)
        if method.knows_elements_only and node.fit is None:
            return _Work(method, tasks[0].key, (count,), values).slab(stack, 0, count, (count,))
        merged = self._scratch.take("merged", torch.float32, count)
        for task, span in zip(tasks, spans, strict=True):
            numel, shape = task.spec.numel, task.spec.shape
            rows = [functools.partial(_elements, row) for row in stack[:, span]]
            whole = Whole(rows, numel, shape, self._tally)
            work = self._work(node, task.key, shape, whole, values)
            # in memory of its own, as a tensor alone would lie, and for the method to write to
            merged[span] = work.slab(stack[:, span].clone(), 0, numel, (numel,))
        return merged

    def _operands(
        self, node: Combine, key: str, shape: tuple[int, ...], scratch: Scratch
    ) -> Operands:
        return Operands(
            inputs=tuple(self._operand(child, key, shape) for child in node.inputs),
            base=None if node.base is None else self._operand(node.base, key, shape),
            space=node.space,
            key=key,
            scratch=scratch,
            tally=self._tally,
        )

    def _operand(self, node: Node | None, key: str, shape: tuple[int, ...]) -> Operand:
        """The node's elements: as stored for a read, float32 for a merge; None stays None."""
        if node is None:
            return Operand(None, "delta", "")
        if isinstance(node, Read):
            assert node.space != "operator", "an operator is applied"
            return Operand(self._pieces(node.source, key), node.space, self._name(node))
        merged = self.tensor(node, key, shape).reshape(-1)
        return Operand(lambda start, stop: merged[start:stop], "weight", self._name(node))

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

    def _work(
        self,
        node: Combine,
        key: str,
        shape: tuple[int, ...],
        whole: Whole,
        values: Mapping[str, Any],
    ) -> _Work:
        """The method with what it wants to know of the whole tensors."""
        method, stat = self._methods[node.method], None
        if node.fit is not None:
            stat = self._fits[node.fit].of(key)
        elif method.stats is not None:
            stat = method.survey(whole, arguments(node.values, 2, torch.float64))
        return _Work(method, key, shape, values, stat, self._streams(node, key))

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


def _elements(row: Tensor, start: int, stop: int) -> Tensor:
    return row[start:stop]
