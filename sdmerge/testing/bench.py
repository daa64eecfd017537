"""Bench: one method on tensors in memory, through the engine that merges files."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sdmerge.engine import SLAB, Engine
from sdmerge.fitting import FitModels, find
from sdmerge.lowrank import Factors, dense
from sdmerge.manifest import Space
from sdmerge.method import Method
from sdmerge.methods.kernels import tally, with_kernel
from sdmerge.params import Kind, Param, Scalar
from sdmerge.plan.fits import Fits
from sdmerge.plan.tasks import Combine, Fit, Read, Task
from sdmerge.plan.tasks import Values as TaskValues
from sdmerge.tally import PLAIN
from sdmerge.tensors.spec import TensorSpec
from sdmerge.testing.stand_in import StandIn

Value = Scalar | tuple[float, ...] | tuple[str, ...]
Values = Mapping[str, Value]

DEFAULTS: Values = {}
COMPANION = "unet.conv_out.bias"
"""Another tensor of the same model, for methods that look at more than one."""
_WORDS: Mapping[Kind, tuple[Scalar, ...]] = {
    "lines": ("one\n", "one\ntwo\n"),
    "text": ("clip", "aesthetic"),
}
_MOST_CORNERS = 64
_NEVER_LOADED = ((),)
"""Models that a stand-in plays: that there are any gives a fit a seed."""


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
    low: Factors | None = None

    def factors(self, key: str) -> Factors | None:  # noqa: ARG002
        """It as a product, if it was given as one."""
        return self.low

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Its elements, whatever key is asked for; those of the companion are larger."""
        elements = self.tensor.reshape(-1)[start:stop]
        return 3 * elements.float() if key == COMPANION else elements.clone()


@dataclass(frozen=True, slots=True)
class Found:
    """What a fit has found, in memory."""

    by_key: Mapping[str, Any]

    def of(self, key: str) -> Any:
        """What was found for `key`."""
        return self.by_key.get(key, {})


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
        kernel: bool = False,
    ) -> Tensor:
        """The merged tensor. `values` are what differs from the defaults."""
        task, sources = self._task(inputs, base, values, names, spaces, seed, key, dtype)
        engine, task = self._fitted(task, sources, seed, slab=slab, kernel=kernel)
        return engine.run(task).reshape(inputs[0].shape)

    def side_by_side(
        self, inputs: Sequence[Tensor], base: Tensor, values: Values = DEFAULTS
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Two tensors of one model, each merged beside the other and alone."""
        task, sources = self._task(
            inputs, base, values, string.ascii_lowercase, None, 0, "unet.conv_in.weight", "F32"
        )
        engine, task = self._fitted(task, sources, 0)
        both = [task, replace(task, key=COMPANION)]
        return zip(engine.run_all(both), map(engine.run, both), strict=True)

    def changes(
        self, parts: Sequence[Factors], shape: tuple[int, ...], values: Values = DEFAULTS
    ) -> tuple[Tensor, Tensor | None]:
        """What is merged of changes without a base: number by number, and by their factors."""
        inputs = [dense(part).reshape(shape) for part in parts]
        task, sources = self._task(
            inputs, None, values, string.ascii_lowercase, None, 0, "unet.conv_in.weight", "F32"
        )
        sources = [Memory(one, part) for one, part in zip(inputs, parts, strict=True)]
        assert isinstance(task.node, Combine), "a merge"
        changes = tuple(Read(place, "delta") for place in range(len(parts)))
        task = replace(task, node=replace(task.node, inputs=changes, base=None))
        engine, task = self._fitted(task, sources, 0)
        assert isinstance(task.node, Combine), "a merge"
        found = engine.factors(task.node, None, task.key, shape)
        plain = engine.difference(task.node, None, task.key, shape)
        return plain, None if found is None else dense(found).reshape(shape)

    def _fitted(
        self, task: Task, sources: Sequence[Memory], seed: int, *, slab: int = SLAB,
        kernel: bool = False,
    ) -> tuple[Engine, Task]:  # fmt: skip
        """An engine for the task, which knows what the method's fit has found."""
        used = with_kernel(self.method) if kernel else self.method
        assert isinstance(task.node, Combine), "a merge"
        methods, labels = {used.name: used}, [*task.node.names, "base"]
        engine = Engine(sources, labels, methods, slab, tally=tally() if kernel else PLAIN)
        if (fit := self._fit(task, seed)) is None:
            return engine, task
        found = Found(self._found(fit, engine))
        engine = Engine(sources, labels, methods, slab, [found])
        return engine, replace(task, node=replace(task.node, fit=0))

    def found(
        self, inputs: Sequence[Tensor], base: Tensor, values: Values, names: Sequence[str]
    ) -> Any:
        """What the method's fit finds for these inputs; None if it has none to make."""
        key = "unet.conv_in.weight"
        task, sources = self._task(inputs, base, values, names, None, 0, key, "F32")
        labels = [*names[: len(inputs)], "base"]
        engine = Engine(sources, labels, {self.method.spec.name: self.method})
        fit = self._fit(task, 0)
        return None if fit is None else self._found(fit, engine).get(key, {})

    def _task(  # noqa: PLR0917
        self, inputs: Sequence[Tensor], base: Tensor | None, values: Values,
        names: Sequence[str], spaces: Sequence[Space] | None, seed: int, key: str, dtype: str,
    ) -> tuple[Task, list[Memory]]:  # fmt: skip
        shape, count = tuple(inputs[0].shape), len(inputs)
        spec = self.method.spec
        given: Sequence[Space] = spaces or ("weight",) * count
        merge = Combine(
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
        return Task(key, TensorSpec(dtype, shape), merge), sources

    def _found(self, fit: Fit, engine: Engine) -> dict[str, Any]:
        """What the method's fit finds; a stand-in plays the models that run."""
        found: dict[str, Any] = {}
        for key, value in find(fit, self.method, FitModels(fit, engine, StandIn(fit))):
            known = found.setdefault(key, {})
            found[key] = {**known, **value} if isinstance(value, Mapping) else value
        return found

    def _fit(self, task: Task, seed: int) -> Fit | None:
        """The fit that a plan of this task and its companion would have."""
        fits: list[Fit] = []
        assert isinstance(task.node, Combine), "a merge"
        planned = Fits(fits, seed)
        for key in (task.key, COMPANION):
            planned.add(
                "", self.method.spec, lambda: _NEVER_LOADED, key=key, merge=task.node,
                start=task.node.base or Read(len(task.node.inputs)), like=task.spec, block="IN00",
            )  # fmt: skip
        return fits[0] if fits else None

    def values(self, given: Values, count: int) -> TaskValues:
        """All parameters: what is given, else the defaults; one per model where that is so."""
        found: dict[str, Value] = {}
        for param in self.method.spec.params:
            value = given.get(param.name, usual(param))
            if param.per_model and not isinstance(value, tuple):
                value = (value,) * count if isinstance(value, str) else (float(value),) * count
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
            if param.per_model and param.kind != "lines":
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


def usual(param: Param) -> Scalar:
    """The default, or some text where a user has to give one."""
    return _WORDS.get(param.kind, (param.default,))[0]


def ends(param: Param) -> tuple[Scalar, ...]:
    """The outermost values that are allowed, or all of a choice."""
    if param.kind == "bool":
        return (False, True)
    if param.kind == "choice":
        return param.choices
    if param.range is None:
        return _WORDS.get(param.kind, (param.default,) * 2)
    return tuple(param.check(end) for end in param.range.allowed)


def alternatives(param: Param) -> Iterator[Scalar]:
    """Values other than the default, ordinary ones first."""
    ordinary: list[Scalar] = list(ends(param))
    if param.range is not None:
        low, high = param.range.low, param.range.high
        inner = [low + share * (high - low) for share in (0.5, 0.25, 0.75)]
        ordinary = [round(x) if param.kind == "int" else x for x in (*inner, low, high)] + ordinary
    yield from (value for value in dict.fromkeys(ordinary) if value != usual(param))
