"""Trace: which dims a network's tensors share, found by running it on the meta device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sdmerge.symmetry.dims import Dim, Form, cat, divide, freeze, unify

Dims = list[Dim | None]


def trace(module: nn.Module, inputs: Mapping[str, Any]) -> dict[str, Dims]:
    """The dims of each weight that the module saves, once it has been called with `inputs`.

    An operation that no rule knows freezes what it is given: symmetries are missed, never invented.
    """
    found: dict[str, Dims] = {}
    saved = module.state_dict(keep_vars=True)
    weights = {name: one for name, one in saved.items() if one.is_floating_point()}
    for name, weight in weights.items():
        dims: Dims = [Dim(size) if size > 1 else None for size in weight.shape]
        found[name] = dims
        _set(weight, dims)
    tracer = _Tracer()
    with torch.no_grad(), tracer:
        result = module(**inputs)
    # what comes out has a meaning, and of what takes no part nothing is known
    unused = [one for one in weights.values() if id(one) not in tracer.seen]
    for tensor in (*_tensors(result), *unused):
        for dim in _get(tensor):
            freeze(dim)
    return found


def _set(tensor: Tensor, dims: Sequence[Dim | None]) -> None:
    tensor.sdmerge_dims = list(dims)  # pyright: ignore[reportAttributeAccessIssue]


def _get(tensor: Tensor) -> Dims:
    return getattr(tensor, "sdmerge_dims", [None] * len(tensor.shape))


class _Tracer(TorchFunctionMode):
    """Carries the dims of every tensor through every function that torch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()
        self._joined: dict[tuple[Dim, Dim], Dim] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        given = _tensors([args, kwargs])
        self.seen.update(map(id, given))
        out = func(*args, **kwargs)
        results = _tensors(out)
        if not given or not results or name in _SILENT:
            return out
        rule = _RULES.get(name)
        if rule is None and name in _ELEMENTWISE:
            rule = _elementwise
        if rule is None or not rule(Call(self, out, args, kwargs)):
            for tensor in (*given, *results):
                for dim in _get(tensor):
                    freeze(dim)
            for tensor in results:
                _set(tensor, [None] * len(tensor.shape))
        return out

    def join(self, outer: Dim | None, inner: Dim | None, sizes: Sequence[int]) -> Dim | None:
        """The dim of all pairs of two; what was split comes together again."""
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


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [tensor for one in value for tensor in _tensors(one)]  # pyright: ignore[reportUnknownVariableType]
    return []


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function of torch, with its result."""

    tracer: _Tracer
    out: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def get(self, place: int, name: str) -> Any:
        """An argument, given by place or by name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name)

    def given(self) -> list[Tensor]:
        """The tensors it was given."""
        return _tensors([self.args, self.kwargs])


Rule = Callable[[Call], bool]
"""Sets the dims of the result; False if it does not know how."""


def _elementwise(call: Call) -> bool:
    result: Dims = [None] * call.out.dim()
    taken = [False] * call.out.dim()
    for tensor in call.given():
        dims = _get(tensor)
        for back in range(1, tensor.dim() + 1):
            if back > call.out.dim() or tensor.shape[-back] == 1:
                continue
            mine, place = dims[-back], call.out.dim() - back
            result[place] = unify(result[place], mine) if taken[place] else mine
            taken[place] = True
    _set(call.out, result)
    return True


def _linear(call: Call) -> bool:
    x, weight = call.args[0], call.get(1, "weight")
    rows, columns = _get(weight)
    if weight.shape[1] > 1:
        unify(_get(x)[-1], columns)
    bias = call.get(2, "bias")
    if bias is not None and weight.shape[0] > 1:
        unify(rows, _get(bias)[0])
    _set(call.out, [*_get(x)[:-1], rows])
    return True


def _conv(call: Call) -> bool:
    x, weight = call.args[0], call.get(1, "weight")
    groups = call.get(6, "groups") or 1
    if groups != 1:
        return False
    rows, columns, *kernel = _get(weight)
    for dim in kernel:
        freeze(dim)
    if weight.shape[1] > 1:
        unify(_get(x)[1], columns)
    bias = call.get(2, "bias")
    if bias is not None and weight.shape[0] > 1:
        unify(rows, _get(bias)[0])
    _set(call.out, [_get(x)[0], rows, *[None] * len(kernel)])
    return True


def _group_norm(call: Call) -> bool:
    x, groups = call.args[0], int(call.get(1, "num_groups"))
    dims = _get(x)
    for place, name in ((2, "weight"), (3, "bias")):
        scale = call.get(place, name)
        if scale is not None:
            unify(dims[1], _get(scale)[0])
    if dims[1] is not None:
        channels = int(x.shape[1])
        dims[1].root().blocks.append(np.arange(channels) // (channels // groups))
    _set(call.out, dims)
    return True


def _layer_norm(call: Call) -> bool:
    x, shape = call.args[0], call.get(1, "normalized_shape")
    if len(shape) != 1:
        return False
    for place, name in ((2, "weight"), (3, "bias")):
        scale = call.get(place, name)
        if isinstance(scale, Tensor):
            unify(_get(x)[-1], _get(scale)[0])
    _set(call.out, _get(x))
    return True


def _attention(call: Call) -> bool:
    q, k, v = (call.get(i, name) for i, name in enumerate(("query", "key", "value")))
    mask = call.get(3, "attn_mask")
    if mask is not None and any(dim is not None for dim in _get(mask)):
        return False
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        return False
    query, key, value = _get(q), _get(k), _get(v)
    if q.shape[-1] > 1:
        unify(query[-1], key[-1])
    for place in range(q.dim() - 2):
        if q.shape[place] > 1:
            unify(unify(query[place], key[place]), value[place])
    _set(call.out, [*query[:-1], value[-1]])
    return True


def _matmul(call: Call) -> bool:
    a, b = call.args[0], call.get(1, "other")
    if b is None:
        b = call.kwargs.get("mat2")
    if a.dim() != b.dim() or a.dim() < 2 or a.shape[:-2] != b.shape[:-2]:
        return False
    left, right = _get(a), _get(b)
    if a.shape[-1] > 1:
        unify(left[-1], right[-2])
    outer = [unify(left[i], right[i]) if a.shape[i] > 1 else None for i in range(a.dim() - 2)]
    _set(call.out, [*outer, left[-2], right[-1]])
    return True


def _cat(call: Call) -> bool:
    parts, dim = list(call.args[0]), call.get(1, "dim") or 0
    dim %= call.out.dim()
    dims = [_get(part) for part in parts]
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
    _set(call.out, result)
    return True


def _pieces(call: Call) -> bool:
    """Chunk and split."""
    x, dim = call.args[0], call.get(2, "dim") or 0
    dims, dim = _get(x), dim % x.dim()
    parts: Sequence[Dim | None] = [None] * len(call.out)
    if dims[dim] is not None:
        sizes = [int(piece.shape[dim]) for piece in call.out]
        # single indices of a dim are told apart
        parts = (None if max(sizes) == 1 else divide(dims[dim], "cat", sizes)) or parts
        if max(sizes) == 1:
            freeze(dims[dim])
    for piece, part in zip(call.out, parts, strict=True):
        _set(piece, [*dims[:dim], part, *dims[dim + 1 :]])
    return True


def _unbind(call: Call) -> bool:
    x, dim = call.args[0], call.get(1, "dim") or 0
    dims, dim = _get(x), dim % x.dim()
    freeze(dims[dim])
    for piece in call.out:
        _set(piece, [*dims[:dim], *dims[dim + 1 :]])
    return True


def _getitem(call: Call) -> bool:
    """Slices, single indices, None and …; along a labelled dim only the whole of it."""
    x, given = call.args[0], call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if any(not (one is None or one is ... or isinstance(one, slice | int)) for one in given):
        return False
    real = sum(one is not None and one is not ... for one in given)
    wide: list[Any] = []
    for one in given:
        wide += [slice(None)] * (x.dim() - real) if one is ... else [one]
    wide += [slice(None)] * (x.dim() - sum(one is not None for one in wide))
    dims, result, place = _get(x), Dims(), 0
    for one in wide:
        if one is None:
            result.append(None)
            continue
        if isinstance(one, int) or len(range(x.shape[place])[one]) != x.shape[place]:
            freeze(dims[place])
            dims[place] = None
        if not isinstance(one, int):
            result.append(dims[place])
        place += 1
    _set(call.out, result)
    return True


def _permute(call: Call) -> bool:
    order = (
        call.args[1] if len(call.args) == 2 and not isinstance(call.args[1], int) else call.args[1:]
    )
    order = order or call.kwargs.get("dims", ())
    _set(call.out, [_get(call.args[0])[place] for place in order])
    return True


def _transpose(call: Call) -> bool:
    dims = list(_get(call.args[0]))
    one, other = call.get(1, "dim0"), call.get(2, "dim1")
    dims[one], dims[other] = dims[other], dims[one]
    _set(call.out, dims)
    return True


def _reshape(call: Call) -> bool:
    """Any change of shape that keeps the order of elements."""
    x = call.args[0]
    dims, result = _get(x), Dims([None] * call.out.dim())
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
        for place, dim in zip(after, _regroup(call.tracer, named, x, before, sizes), strict=True):
            result[place] = dim
    _set(call.out, result)
    return True


def _regroup(
    tracer: _Tracer, named: Dims, x: Tensor, before: Sequence[int], sizes: Sequence[int]
) -> Dims:
    """The dims of one group of sizes that took the place of another."""
    if len(named) == 1 and len(sizes) == 1:
        return [named[0]]
    if all(dim is None for dim in named):
        return [None] * len(sizes)
    if len(named) == 1 and len(sizes) == 2 and named[0] is not None:
        parts = divide(named[0], "split", sizes)
        if parts is not None:
            tracer._joined.setdefault((parts[0].root(), parts[1].root()), named[0].root())  # pyright: ignore[reportPrivateUsage]
            return list(parts)
    if len(named) == 2 and len(sizes) == 1:
        return [tracer.join(named[0], named[1], [int(x.shape[i]) for i in before])]
    for dim in named:
        freeze(dim)
    return [None] * len(sizes)


def _expand(call: Call) -> bool:
    x = call.args[0]
    dims, result = _get(x), Dims([None] * call.out.dim())
    for back in range(1, x.dim() + 1):
        if x.shape[-back] == call.out.shape[-back]:
            result[-back] = dims[-back]
    _set(call.out, result)
    return True


def _reduce(call: Call) -> bool:
    """A mean or sum over dims: it does not mind their order."""
    x, over = call.args[0], call.get(1, "dim")
    over = range(x.dim()) if over is None else [over] if isinstance(over, int) else over
    gone = {place % x.dim() for place in over}
    keep = bool(call.get(2, "keepdim"))
    dims = _get(x)
    _set(
        call.out, [None if i in gone else dims[i] for i in range(x.dim()) if keep or i not in gone]
    )
    return True


def _spatial(call: Call) -> bool:
    """Resizing, pooling and padding of pictures: channels stay what they are."""
    x = call.args[0]
    if call.out.dim() != x.dim() or call.out.shape[:2] != x.shape[:2]:
        return False
    if any(dim is not None for dim in _get(x)[2:]):
        return False
    _set(call.out, [*_get(x)[:2], *[None] * (call.out.dim() - 2)])
    return True


def _embedding(call: Call) -> bool:
    index, weight = call.args[0], call.get(1, "weight")
    freeze(_get(weight)[0])
    _set(call.out, [*[None] * index.dim(), _get(weight)[1]])
    return True


_RULES: Mapping[str, Rule] = {
    "linear": _linear,
    "conv1d": _conv,
    "conv2d": _conv,
    "conv3d": _conv,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _layer_norm,
    "scaled_dot_product_attention": _attention,
    "matmul": _matmul,
    "bmm": _matmul,
    "cat": _cat,
    "concat": _cat,
    "chunk": _pieces,
    "split": _pieces,
    "unbind": _unbind,
    "getitem": _getitem,
    "permute": _permute,
    "transpose": _transpose,
    "swapaxes": _transpose,
    "expand": _expand,
    "broadcast_to": _expand,
    "mean": _reduce,
    "sum": _reduce,
    "var": _reduce,
    "interpolate": _spatial,
    "avg_pool2d": _spatial,
    "pad": _spatial,
    "embedding": _embedding,
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"), _reshape
    ),
}  # fmt: skip
_ELEMENTWISE = frozenset(
    (
        "add", "sub", "mul", "div", "truediv", "rsub", "radd", "rmul", "rdiv", "rtruediv", "iadd",
        "isub", "imul", "itruediv", "pow", "neg", "abs", "exp", "sqrt", "rsqrt", "square", "silu",
        "gelu", "relu", "sigmoid", "tanh", "softplus", "mish", "clamp", "to", "type", "type_as",
        "float", "half", "bfloat16", "double", "contiguous", "clone", "detach", "dropout",
        "nan_to_num", "cos", "sin",
    )
)  # fmt: skip
"""Each result depends on the elements at its own place, whatever they are called."""

_SILENT = frozenset({"get", "set", "dim", "size", "requires_grad_", "is_floating_point"})
