"""Trace: runs a converter on meta tensors and tells where every element came from.

A view of a meta tensor keeps its storage, offset and strides, so slices and transposes need no
interception; a TorchDispatchMode records the few operations that make a new storage.
"""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# a tensor's storage has no public name, and torch types its dispatch mode loosely
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sdmerge.errors import SdmergeError
from sdmerge.families.keymap import Piece

Shapes = Mapping[str, tuple[int, ...]]
Converter = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Traced:
    """A tensor that came out of the converter: its shape and the runs of source data in it."""

    shape: tuple[int, ...]
    pieces: tuple[Piece, ...]


def trace(convert: Converter, shapes: Shapes) -> dict[str, Traced]:
    """What `convert` makes of tensors of these shapes, by the names it gives them."""
    with _Recorder() as recorder:
        sources = {name: recorder.source(name, shape) for name, shape in shapes.items()}
        made = convert(dict(sources))
    return {
        name: Traced(tuple(tensor.shape), tuple(recorder.pieces(name, tensor)))
        for name, tensor in made.items()
    }


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self._sources: dict[int, str] = {}
        self._copies: dict[int, list[tuple[Tensor, int]]] = {}
        self._unknown: dict[int, str] = {}
        self._alive: list[Tensor] = []  # a storage's address is its name, so none may be freed

    def source(self, name: str, shape: tuple[int, ...]) -> Tensor:
        tensor = torch.empty(shape, dtype=torch.float16, device="meta")
        self._sources[_storage(tensor)] = name
        return tensor

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature torch calls
        if func._schema.is_mutable:
            raise SdmergeError(f"{func} changes a tensor in place, which leaves no trace")
        result = func(*args, **(kwargs or {}))
        for output in tree_leaves(result):
            if isinstance(output, Tensor) and not self._knows(output):
                self._alive.append(output)
                self._note(func._schema.name, output, args)
        return result

    def _knows(self, tensor: Tensor) -> bool:
        number = _storage(tensor)
        return number in self._sources or number in self._copies or number in self._unknown

    def _note(self, operation: str, output: Tensor, args: Any) -> None:
        dim = args[1] if len(args) > 1 else 0
        if operation in ("aten::clone", "aten::_to_copy"):
            parts = [args[0]]
        elif operation == "aten::cat" and dim == 0:  # rows after rows: runs stay runs
            parts = args[0]
        else:
            self._unknown[_storage(output)] = operation
            return
        starts, start = list[tuple[Tensor, int]](), 0
        for part in parts:
            starts.append((part, start))
            start += part.numel()
        self._copies[_storage(output)] = starts

    def pieces(self, name: str, tensor: Tensor) -> list[Piece]:
        """The runs that make up a tensor; an SdmergeError where it is more than a copy."""
        number = _storage(tensor)
        if number in self._sources:
            return [_run(self._sources[number], name, tensor)]
        parts = self._copies.get(number)
        if parts is None or not tensor.is_contiguous() or tensor.numel() != _capacity(tensor):
            what = f"is made by {self._unknown.get(number, 'a view of a copy')}, not by copying"
            raise SdmergeError(what, where=name)
        return [
            replace(piece, target_start=start + piece.target_start)
            for part, start in parts
            for piece in self.pieces(name, part)
        ]


def _run(source: str, target: str, tensor: Tensor) -> Piece:
    """A view of a source as one run, or as a transpose of the whole."""
    start, count = int(tensor.storage_offset()), tensor.numel()
    if _without_ones(tensor).is_contiguous():
        return Piece(source, start, target, 0, count)
    if tensor.dim() == 2 and tensor.T.is_contiguous() and count == _capacity(tensor):
        return Piece(source, start, target, 0, count, (tensor.shape[1], tensor.shape[0]))
    raise SdmergeError("is a strided view that no table can hold", where=target)


def _without_ones(tensor: Tensor) -> Tensor:
    kept = [(n, s) for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n != 1]
    return tensor.as_strided([n for n, _ in kept], [s for _, s in kept])


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _capacity(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes() // tensor.element_size()
