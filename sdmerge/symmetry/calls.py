"""Calls of torch's functions, and the dims that their tensors carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

from sdmerge.symmetry.dims import Dim, Form, freeze

Dims = list[Dim | None]


def set_dims(tensor: Any, dims: Sequence[Dim | None]) -> None:
    """Note the dims of a tensor on the tensor itself."""
    tensor.sdmerge_dims = list(dims)


def dims_of(tensor: Any) -> Dims:
    """What was noted; a tensor that nobody knows has no dims that may change their order."""
    return getattr(tensor, "sdmerge_dims", [None] * len(tensor.shape))


def tensors_in(value: object) -> list[Tensor]:
    """Every tensor in nested lists, tuples and mappings."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(cast("Mapping[object, object]", value).values())
    if isinstance(value, list | tuple):
        each = cast("Sequence[object]", value)
        return [tensor for one in each for tensor in tensors_in(one)]
    return []


class Pairs:
    """The dims that are all pairs of two others: what was split comes together again."""

    def __init__(self) -> None:
        self._joined: dict[tuple[Dim, Dim], Dim] = {}

    def note(self, outer: Dim, inner: Dim, joined: Dim) -> None:
        """Remember which dim it is that was split."""
        self._joined.setdefault((outer.root(), inner.root()), joined.root())

    def join(self, outer: Dim | None, inner: Dim | None, sizes: Sequence[int]) -> Dim | None:
        """The dim of all pairs of two."""
        if outer is None:
            freeze(inner)
            return None
        outer, inner = outer.root(), inner.root() if inner else Dim(sizes[1], fixed=True)
        for (known_outer, known_inner), dim in self._joined.items():
            if known_outer.root() is outer and known_inner.root() is inner:
                return dim
        joined = Dim(sizes[0] * sizes[1], form=Form("split", (outer, inner)))
        self._joined[outer, inner] = joined
        return joined


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function of torch, with its result."""

    pairs: Pairs
    out: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def get(self, place: int, *names: str) -> Any:
        """An argument, given by place or by one of its names."""
        if len(self.args) > place:
            return self.args[place]
        return next((self.kwargs[name] for name in names if name in self.kwargs), None)

    def given(self) -> list[Tensor]:
        """The tensors it was given."""
        return tensors_in([self.args, self.kwargs])


Rule = Callable[[Call], bool]
"""Sets the dims of the result; False if it does not know how."""
