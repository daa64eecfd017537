"""Trace: which dims a network's tensors share, found by running it on the meta device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from sdmerge.symmetry.calls import Call, Dims, Pairs, Rule, dims_of, set_dims, tensors_in
from sdmerge.symmetry.dims import Dim, freeze
from sdmerge.symmetry.layers import LAYERS
from sdmerge.symmetry.shapes import SHAPES

_RULES: Mapping[str, Rule] = {**LAYERS, **SHAPES}
_SILENT = frozenset({"get", "set", "dim", "size", "requires_grad_", "is_floating_point"})


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
        set_dims(weight, dims)
    tracer = _Tracer()
    with torch.no_grad(), tracer:
        result = module(**inputs)
    # what comes out has a meaning, and of what takes no part nothing is known
    unused = [one for one in weights.values() if id(one) not in tracer.seen]
    for tensor in (*tensors_in(result), *unused):
        for dim in dims_of(tensor):
            freeze(dim)
    return found


class _Tracer(TorchFunctionMode):
    """Carries the dims of every tensor through every function that torch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()
        self._pairs = Pairs()

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        given = tensors_in([args, kwargs])
        self.seen.update(map(id, given))
        out = func(*args, **kwargs)
        results = tensors_in(out)
        if not given or not results or name in _SILENT:
            return out
        rule = _RULES.get(name)
        if rule is None or not rule(Call(self._pairs, out, args, kwargs)):
            for tensor in (*given, *results):
                for dim in dims_of(tensor):
                    freeze(dim)
            for tensor in results:
                set_dims(tensor, [None] * len(tensor.shape))
        return out
