"""What cutting, joining and reshaping do to dims."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from sdmerge.symmetry.calls import Call, Dims, Pairs, Rule, dims_of, set_dims
from sdmerge.symmetry.dims import Dim, cat, divide, freeze, unify


def _cat(call: Call) -> bool:
    parts, dim = list(call.args[0]), call.get(1, "dim") or 0
    dim %= call.out.dim()
    dims = [dims_of(part) for part in parts]
    result: Dims = []
    for place in range(call.out.dim()):
        column = [one[place] for one in dims]
        if place == dim:
            result.append(cat(column, [int(part.shape[dim]) for part in parts]))
            continue
        shared = column[0]
        for other in column[1:] if call.out.shape[place] > 1 else ():
            shared = unify(shared, other)
        result.append(shared)
    set_dims(call.out, result)
    return True


def _pieces(call: Call) -> bool:
    """Chunk and split."""
    x, dim = call.args[0], int(call.get(2, "dim") or 0)
    dims, dim = dims_of(x), dim % int(x.dim())
    parts: Sequence[Dim | None] = [None] * len(call.out)
    whole = dims[dim]
    if whole is not None:
        sizes = [int(piece.shape[dim]) for piece in call.out]
        # single indices of a dim are told apart
        parts = (None if max(sizes) == 1 else divide(whole, "cat", sizes)) or parts
        if max(sizes) == 1:
            freeze(whole)
    for piece, part in zip(call.out, parts, strict=True):
        set_dims(piece, [*dims[:dim], part, *dims[dim + 1 :]])
    return True


def _unbind(call: Call) -> bool:
    x, dim = call.args[0], int(call.get(1, "dim") or 0)
    dims, dim = dims_of(x), dim % int(x.dim())
    freeze(dims[dim])
    for piece in call.out:
        set_dims(piece, [*dims[:dim], *dims[dim + 1 :]])
    return True


def _getitem(call: Call) -> bool:
    """Slices, single indices, None and …; along a labelled dim only the whole of it."""
    x, index = call.args[:2]
    given = cast("tuple[Any, ...]", index if isinstance(index, tuple) else (index,))
    if any(not (one is None or one is ... or isinstance(one, slice | int)) for one in given):
        return False
    real = sum(one is not None and one is not ... for one in given)
    wide: list[Any] = []
    for one in given:
        wide += [slice(None)] * (x.dim() - real) if one is ... else [one]
    wide += [slice(None)] * (x.dim() - sum(one is not None for one in wide))
    dims, result, place = dims_of(x), Dims(), 0
    for one in wide:
        if one is None:
            result.append(None)
            continue
        size = int(x.shape[place])
        if isinstance(one, int) or len(_cut(size, one)) != size:
            freeze(dims[place])
            dims[place] = None
        if not isinstance(one, int):
            result.append(dims[place])
        place += 1
    set_dims(call.out, result)
    return True


def _cut(size: int, index: slice) -> range:
    return range(size)[index]


def _permute(call: Call) -> bool:
    order: Sequence[int] = call.args[1:]
    if len(call.args) == 2 and not isinstance(call.args[1], int):
        order = call.args[1]
    order = order or call.kwargs.get("dims", ())
    set_dims(call.out, [dims_of(call.args[0])[place] for place in order])
    return True


def _transpose(call: Call) -> bool:
    dims = list(dims_of(call.args[0]))
    one, other = call.get(1, "dim0"), call.get(2, "dim1")
    dims[one], dims[other] = dims[other], dims[one]
    set_dims(call.out, dims)
    return True


def _reshape(call: Call) -> bool:
    """Any change of shape that keeps the order of elements."""
    x = call.args[0]
    dims, result = dims_of(x), Dims([None] * call.out.dim())
    old = [place for place, size in enumerate(x.shape) if size > 1]
    new = [place for place, size in enumerate(call.out.shape) if size > 1]
    while old and new:
        before, after = [old.pop(0)], [new.pop(0)]
        while (left := math.prod(x.shape[i] for i in before)) != (
            right := math.prod(call.out.shape[i] for i in after)
        ):
            (before if left < right else after).append((old if left < right else new).pop(0))
        sizes = [int(call.out.shape[i]) for i in after]
        named = [dims[i] for i in before]
        for place, dim in zip(after, _regroup(call.pairs, named, x, before, sizes), strict=True):
            result[place] = dim
    set_dims(call.out, result)
    return True


def _regroup(
    pairs: Pairs, named: Dims, x: Tensor, before: Sequence[int], sizes: Sequence[int]
) -> Dims:
    """The dims of one group of sizes that took the place of another."""
    if len(named) == 1 and len(sizes) == 1:
        return [named[0]]
    if all(dim is None for dim in named):
        return [None] * len(sizes)
    if len(named) == 1 and len(sizes) == 2 and named[0] is not None:
        parts = divide(named[0], "split", sizes)
        if parts is not None:
            pairs.note(parts[0], parts[1], named[0])
            return list(parts)
    if len(named) == 2 and len(sizes) == 1:
        return [pairs.join(named[0], named[1], [int(x.shape[i]) for i in before])]
    for dim in named:
        freeze(dim)
    return [None] * len(sizes)


def _expand(call: Call) -> bool:
    x = call.args[0]
    dims, result = dims_of(x), Dims([None] * call.out.dim())
    for back in range(1, x.dim() + 1):
        if x.shape[-back] == call.out.shape[-back]:
            result[-back] = dims[-back]
    set_dims(call.out, result)
    return True


SHAPES: Mapping[str, Rule] = {
    **dict.fromkeys(("cat", "concat"), _cat),
    **dict.fromkeys(("chunk", "split"), _pieces),
    **dict.fromkeys(("transpose", "swapaxes"), _transpose),
    **dict.fromkeys(("expand", "broadcast_to"), _expand),
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"), _reshape
    ),
    "unbind": _unbind,
    "getitem": _getitem,
    "permute": _permute,
}  # fmt: skip
