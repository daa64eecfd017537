"""What layers and arithmetic do to dims."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from sdmerge.symmetry.calls import Call, Dims, Rule, dims_of, set_dims
from sdmerge.symmetry.dims import freeze, unify


def _elementwise(call: Call) -> bool:
    result = Dims([None] * int(call.out.dim()))
    taken = [False] * call.out.dim()
    for tensor in call.given():
        dims = dims_of(tensor)
        for back in range(1, tensor.dim() + 1):
            if back > call.out.dim() or tensor.shape[-back] == 1:
                continue
            mine, place = dims[-back], int(call.out.dim()) - back
            result[place] = unify(result[place], mine) if taken[place] else mine
            taken[place] = True
    set_dims(call.out, result)
    return True


def _linear(call: Call) -> bool:
    x, weight = call.args[0], call.get(1, "weight")
    rows, columns = dims_of(weight)
    if weight.shape[1] > 1:
        unify(dims_of(x)[-1], columns)
    bias = call.get(2, "bias")
    if bias is not None and weight.shape[0] > 1:
        unify(rows, dims_of(bias)[0])
    set_dims(call.out, [*dims_of(x)[:-1], rows])
    return True


def _conv(call: Call) -> bool:
    x, weight = call.args[0], call.get(1, "weight")
    groups = call.get(6, "groups") or 1
    if groups != 1:
        return False
    rows, columns, *kernel = dims_of(weight)
    for dim in kernel:
        freeze(dim)
    if weight.shape[1] > 1:
        unify(dims_of(x)[1], columns)
    bias = call.get(2, "bias")
    if bias is not None and weight.shape[0] > 1:
        unify(rows, dims_of(bias)[0])
    set_dims(call.out, [dims_of(x)[0], rows, *[None] * len(kernel)])
    return True


def _group_norm(call: Call) -> bool:
    x, groups = call.args[0], int(call.get(1, "num_groups"))
    dims = dims_of(x)
    for place, name in ((2, "weight"), (3, "bias")):
        scale = call.get(place, name)
        if scale is not None:
            unify(dims[1], dims_of(scale)[0])
    if dims[1] is not None:
        channels = int(x.shape[1])
        dims[1].root().blocks.append(np.arange(channels) // (channels // groups))
    set_dims(call.out, dims)
    return True


def _layer_norm(call: Call) -> bool:
    x, shape = call.args[0], call.get(1, "normalized_shape")
    if len(shape) != 1:
        return False
    for place, name in ((2, "weight"), (3, "bias")):
        scale = call.get(place, name)
        if isinstance(scale, Tensor):
            unify(dims_of(x)[-1], dims_of(scale)[0])
    set_dims(call.out, dims_of(x))
    return True


def _attention(call: Call) -> bool:
    q, k, v = (call.get(i, name) for i, name in enumerate(("query", "key", "value")))
    mask = call.get(3, "attn_mask")
    if mask is not None and any(dim is not None for dim in dims_of(mask)):
        return False
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        return False
    query, key, value = dims_of(q), dims_of(k), dims_of(v)
    if q.shape[-1] > 1:
        unify(query[-1], key[-1])
    for place in range(q.dim() - 2):
        if q.shape[place] > 1:
            unify(unify(query[place], key[place]), value[place])
    set_dims(call.out, [*query[:-1], value[-1]])
    return True


def _matmul(call: Call) -> bool:
    a, b = call.args[0], call.get(1, "other", "mat2")
    if a.dim() != b.dim() or a.dim() < 2 or a.shape[:-2] != b.shape[:-2]:
        return False
    left, right = dims_of(a), dims_of(b)
    if a.shape[-1] > 1:
        unify(left[-1], right[-2])
    outer = [unify(left[i], right[i]) if a.shape[i] > 1 else None for i in range(a.dim() - 2)]
    set_dims(call.out, [*outer, left[-2], right[-1]])
    return True


def _reduce(call: Call) -> bool:
    """A mean or sum over dims: it does not mind their order."""
    x, over = call.args[0], call.get(1, "dim")
    over = range(x.dim()) if over is None else [over] if isinstance(over, int) else over
    gone = {place % x.dim() for place in over}
    keep = bool(call.get(2, "keepdim"))
    dims = dims_of(x)
    set_dims(
        call.out, [None if i in gone else dims[i] for i in range(x.dim()) if keep or i not in gone]
    )
    return True


def _spatial(call: Call) -> bool:
    """Resizing, pooling and padding of pictures: channels stay what they are."""
    x = call.args[0]
    if call.out.dim() != x.dim() or call.out.shape[:2] != x.shape[:2]:
        return False
    if any(dim is not None for dim in dims_of(x)[2:]):
        return False
    set_dims(call.out, [*dims_of(x)[:2], *[None] * (call.out.dim() - 2)])
    return True


def _embedding(call: Call) -> bool:
    index, weight = call.args[0], call.get(1, "weight")
    freeze(dims_of(weight)[0])
    set_dims(call.out, [*[None] * index.dim(), dims_of(weight)[1]])
    return True


_ELEMENTWISE = (
    "add", "sub", "mul", "div", "truediv", "rsub", "radd", "rmul", "rdiv", "rtruediv", "iadd",
    "isub", "imul", "itruediv", "pow", "neg", "abs", "exp", "sqrt", "rsqrt", "square", "silu",
    "gelu", "relu", "sigmoid", "tanh", "softplus", "mish", "clamp", "to", "type", "type_as",
    "float", "half", "bfloat16", "double", "contiguous", "clone", "detach", "dropout",
    "nan_to_num", "cos", "sin",
)  # fmt: skip
"""Each result depends on the elements at its own place, whatever they are called."""

LAYERS: Mapping[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    **dict.fromkeys(("layer_norm", "rms_norm"), _layer_norm),
    **dict.fromkeys(("matmul", "bmm"), _matmul),
    **dict.fromkeys(("mean", "sum", "var"), _reduce),
    **dict.fromkeys(("interpolate", "avg_pool2d", "pad"), _spatial),
    "linear": _linear,
    "group_norm": _group_norm,
    "scaled_dot_product_attention": _attention,
    "embedding": _embedding,
}
