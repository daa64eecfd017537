"""Bench: one method on tensors in memory, through the engine that merges files."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.engine import SLAB, Engine
from sdmerge.manifest import Space
from sdmerge.method import Method
from sdmerge.params import Param, Scalar
from sdmerge.plan.tasks import Combine, Read, Task
from sdmerge.plan.tasks import Values as TaskValues
from sdmerge.tensors.spec import TensorSpec

Value = Scalar | tuple[float, ...]
Values = Mapping[str, Value]

DEFAULTS: Values = {}
_MOST_CORNERS = 64


def grid(shape: Sequence[int], seed: int) -> Tensor:
    """Multiples of 1/256 from -2 to 2: their sums are exact, and half precision holds them."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-512, 513, tuple(shape), generator=generator) / 256


def noise(shape: Sequence[int], seed: int) -> Tensor:
    """Normal numbers."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True, slots=True)
class Memory:
    """A tensor as the only one of a source."""

    tensor: Tensor

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Its elements, whatever key is asked for."""
        del key
        return self.tensor.reshape(-1)[start:stop].clone()


@dataclass(frozen=True, slots=True)
class Bench:
    """Merges with `method`; every argument but the inputs has a plain default.

    `based` tells a method that sees its inputs either way that the recipe has a base.
    """

    method: Method
    based: bool = False

    @property
    def space(self) -> Space:
        """How the method sees its inputs."""
        return self.method.spec.space_with(base=self.based)

    def merge(
        self,
        inputs: Sequence[Tensor],
        base: Tensor | None = None,
        values: Values = DEFAULTS,
        *,
        names: Sequence[str] = string.ascii_lowercase,
        spaces: Sequence[Space] | None = None,
        seed: int = 0,
        key: str = "unet.conv_in.weight",
        dtype: str = "F32",
        slab: int = SLAB,
    ) -> Tensor:
        """The merged tensor. `values` are what differs from the defaults."""
        shape, count = tuple(inputs[0].shape), len(inputs)
        spec = self.method.spec
        given: Sequence[Space] = spaces or ("weight",) * count
        node = Combine(
            method=spec.name,
            version=spec.version,
            space=self.space,
            inputs=tuple(Read(place, space) for place, space in enumerate(given)),
            names=tuple(names[:count]),
            base=Read(count) if self.space == "delta" or "delta" in given else None,
            values=self.values(values, count),
            seed=seed if spec.random else None,
        )
        sources = [Memory(tensor) for tensor in (*inputs, inputs[0] if base is None else base)]
        engine = Engine(sources, [*node.names, "base"], {spec.name: self.method}, slab)
        return engine.run(Task(key, TensorSpec(dtype, shape), node)).reshape(shape)

    def values(self, given: Values, count: int) -> TaskValues:
        """All parameters: what is given, else the defaults; one per model where that is so."""
        found: dict[str, Value] = {}
        for param in self.method.spec.params:
            value = given.get(param.name, param.default)
            if param.per_model and not isinstance(value, tuple):
                value = (float(value),) * count
            found[param.name] = value[:count] if isinstance(value, tuple) else value
        return tuple(found.items())

    def counts(self) -> range:
        """The numbers of inputs that the method takes, up to four."""
        fewest, most = self.method.spec.models
        return range(fewest, min(most or 4, 4) + 1)

    def corners(self) -> Iterator[Values]:
        """The defaults, and every end of every parameter alone."""
        yield DEFAULTS
        for param in self.method.spec.params:
            yield from ({param.name: end} for end in ends(param))
            if param.per_model:
                low, high = (float(end) for end in ends(param)[:2])
                yield {param.name: (low, high, low, high)}

    def far_corners(self) -> Iterator[Values]:
        """The ends of all parameters together; of very many, some."""
        params = self.method.spec.params
        every = list(itertools.product(*(ends(param) for param in params)))
        for chosen in every[:: 1 + len(every) // _MOST_CORNERS]:
            yield {param.name: end for param, end in zip(params, chosen, strict=True)}

    def spread(self) -> Values:
        """A different ordinary value per model, where a parameter has one per model."""
        return {
            param.name: tuple(param.range.low + share * width for share in (0.5, 1.0, 0.25, 0.75))
            for param in self.method.spec.params
            if param.per_model and param.range is not None
            for width in [param.range.high - param.range.low]
        }


def ends(param: Param) -> tuple[Scalar, ...]:
    """The outermost values that are allowed, or all of a choice."""
    if param.kind == "bool":
        return (False, True)
    if param.kind == "choice":
        return param.choices
    if param.range is None:
        return (param.default, param.default)
    return tuple(param.check(end) for end in param.range.allowed)


def alternatives(param: Param) -> Iterator[Scalar]:
    """Values other than the default, ordinary ones first."""
    ordinary: list[Scalar] = list(ends(param))
    if param.range is not None:
        low, high = param.range.low, param.range.high
        inner = [low + share * (high - low) for share in (0.5, 0.25, 0.75)]
        ordinary = [round(x) if param.kind == "int" else x for x in (*inner, low, high)] + ordinary
    yield from (value for value in dict.fromkeys(ordinary) if value != param.default)
