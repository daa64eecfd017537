"""Merging by factors: what turns with its models is worked out on small matrices alone.

Matrices of low rank, stacked, span a small space: A_k = U·C_k·Vᵀ with orthonormal U and V of Σ r
columns. A method whose result turns with its models (`rotation` in @method) gives U·f(C_1, …)·Vᵀ,
exactly, and never sees more than the cores C_k. What turns on the left only gets UᵀA_k instead.
"""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from sdmerge.adapters.nothing import Nothing
from sdmerge.lowrank import Factors, one_thread, stack
from sdmerge.manifest import Side
from sdmerge.masks import Random, stream_key
from sdmerge.method import Method, arguments, is_mean
from sdmerge.place import Place
from sdmerge.plan.tasks import Combine, Node, Read
from sdmerge.whole import Whole


@runtime_checkable
class LowRank(Protocol):
    """A source that has its tensors as factors."""

    def factors(self, key: str) -> Factors | None:
        """The change of `key` as a product; None where it is of no low rank."""
        ...


class Findings(Protocol):
    """What a fit has found."""

    def of(self, key: str) -> Any:
        """What the method's body gets for `key`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Cores:
    """Matrices in orthonormal bases that they share: left @ stack[k] @ right."""

    left: Tensor  # [o, a]
    stack: Tensor  # [n, a, b], float64
    right: Tensor | None  # [b, i]; None: the stack is as wide as the matrices

    def back(self, merged: Tensor) -> Factors:
        """A matrix [a, b] of the cores' kind as the large one that it stands for."""
        if self.right is None:
            return Factors(self.left, merged)
        with one_thread():
            return Factors(self.left @ merged, self.right)


def cores(parts: Sequence[Factors], side: Side) -> Cores:
    """The parts in bases of the spaces that they span together, on both sides or on the left."""
    ranks = [part.rank for part in parts]
    with one_thread():
        left, ups = torch.linalg.qr(torch.cat([part.up.double() for part in parts], dim=1))
        blocks = [
            block * part.scale for block, part in zip(ups.split(ranks, 1), parts, strict=True)
        ]
        if side == "left":
            wide = [block @ part.down.double() for block, part in zip(blocks, parts, strict=True)]
            return Cores(left, torch.stack(wide), None)
        right, downs = torch.linalg.qr(torch.cat([part.down.double() for part in parts]).T)
        small = [block @ down.T for block, down in zip(blocks, downs.split(ranks, 1), strict=True)]
    return Cores(left, torch.stack(small), right.T)


class Factored:
    """Works out by factors what a plan's nodes change."""

    def __init__(
        self,
        sources: Sequence[object],
        methods: Mapping[str, Method],
        fits: Sequence[Findings],
    ) -> None:
        self._sources = sources
        self._methods = methods
        self._fits = fits

    def change(
        self, node: Node | None, base: Node | None, key: str, shape: tuple[int, ...]
    ) -> Factors | None:
        """What `node` adds to `base`, [out, rest]; None where that is not known to be of low rank.

        Without a base, what it is: then there are changes alone.
        """
        if node is None or node == base:
            rows = shape[0] if shape else 1
            return Factors(torch.zeros(rows, 0), torch.zeros(0, math.prod(shape[1:])))
        if isinstance(node, Read):
            source = self._sources[node.source]
            if node.space != "delta" or not isinstance(source, LowRank):
                return None
            found = source.factors(key)
            # what reads numbers complains of those that are none, and names the file
            return found if found is not None and _is_sound(found) else None
        if not isinstance(node, Combine):
            return None
        return self._merged(node, base, key, shape)

    def _merged(
        self, node: Combine, base: Node | None, key: str, shape: tuple[int, ...]
    ) -> Factors | None:
        method = self._methods[node.method]
        rotation = method.spec.rotation
        if rotation is None or not rotation.holds(dict(node.values)) or len(shape) < 2:
            return None
        if base is not None and node.space == "weight" and not self._is_nothing(base):
            return self._mean(method, node, base, key, shape)
        start = self.change(node.base, base, key, shape)
        parts = self._parts(node, node.base, key, shape)
        if start is None or parts is None:
            return None
        if not any(part.rank for part in parts):
            return start
        found = self._in_cores(method, node, cores(parts, rotation.side), key, shape)
        return stack([start, found]) if start.rank else found

    def _is_nothing(self, base: Node) -> bool:
        """Whether weights and their changes are the same."""
        return isinstance(base, Read) and isinstance(self._sources[base.source], Nothing)

    def _parts(
        self, node: Combine, base: Node | None, key: str, shape: tuple[int, ...]
    ) -> list[Factors] | None:
        parts: list[Factors] = []
        for child in node.inputs:
            part = self.change(child, base, key, shape)
            if part is None:
                return None
            parts.append(part)
        return parts

    def _mean(
        self, method: Method, node: Combine, base: Node, key: str, shape: tuple[int, ...]
    ) -> Factors | None:
        """Of weights: what moves with them is a mean, and that of the changes is its change."""
        shares = method.shares(node.values, len(node.inputs))
        if not is_mean(shares):
            return None
        changes: list[Factors] = []
        for share, child in zip(shares or (), node.inputs, strict=True):
            change = self.change(child, base, key, shape)
            # a change stands for what the stage starts from, and itself
            if child is None or (isinstance(child, Read) and child.space == "delta"):
                start = self.change(node.base, base, key, shape)
                change = stack([change, start]) if change and start else None
            if change is None:
                return None
            if change.rank:
                changes.append(replace(change, scale=share * change.scale))
        return stack(changes) if changes else self.change(None, base, key, shape)

    def _in_cores(
        self, method: Method, node: Combine, small: Cores, key: str, shape: tuple[int, ...]
    ) -> Factors:
        seen = small.stack.flatten(1) if method.spec.unit == "element" else small.stack
        rows, numel = [row.reshape(-1) for row in small.stack], small.stack[0].numel()
        stat = None
        if node.fit is not None:
            stat = self._fits[node.fit].of(key)
        elif method.stats is not None:
            whole = Whole([_reader(row) for row in rows], numel, tuple(small.stack.shape[1:]))
            stat = method.survey(whole, arguments(node.values, 2, torch.float64))
        random = None
        if node.seed is not None:
            streams = [stream_key(node.seed, key, name) for name in node.names]
            random = Random(streams, 0, numel, tuple(seen.shape[1:]))
        values = arguments(node.values, seen.dim(), torch.float64)
        merged = method.merge(seen, stat, Place(0, numel, shape), random, values)
        return small.back(merged.reshape(small.stack.shape[1:]))


def _reader(row: Tensor) -> Callable[[int, int], Tensor]:
    return lambda start, stop: row[start:stop]


def _is_sound(factors: Factors) -> bool:
    return all(math.isfinite(float(one.sum())) for one in (factors.up, factors.down))
