"""@method: a merge method is a function of a few lines in float32, and its signature says the rest.

The positional arguments say what it merges: `a: Weight, b: Weight` two tensors (or three, and so
on), `weights: Weights` any number stacked as [n, *shape]; `a: Delta, b: Delta` and `deltas: Deltas`
likewise but as differences from the base, to which the engine adds the result; `Vector` and
`Vectors` either, as the recipe has a base or not. A `Stat` argument receives what `stats` computed
of the whole tensors, a `Here` one where the slab lies, a `Masks` one the random numbers.
Keyword-only arguments are the parameters (see params.py).

A method with `unit="element"` runs on flat slabs and must treat every element alike, with exact
operations only (no lerp, addcmul or fused add: their rounding depends on the slab's tail). One with
`unit="row"` runs on slabs of whole rows [n, rows, width] and must treat every row alike; a row is
what makes one output, and a bias or a scalar is one row. One with `unit="tensor"` gets whole
tensors in their own shape.

One with `rotation="both"` (or "left") gives the turned result for turned models, which is a law;
models of low rank it gets as small matrices in bases that they share, in float64. If it has to know
the shape of the tensor, it asks for `Here`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from sdmerge.errors import MethodError, UnknownMethod, nearest
from sdmerge.manifest import FitSpec, MethodSpec, ProbeKind, Rotation, Seen, Side, Unit, manifest
from sdmerge.masks import Random
from sdmerge.named import Named
from sdmerge.params import Scalar, details, read_params, summary
from sdmerge.place import Place
from sdmerge.whole import Whole

Weight = Annotated[Tensor, "weight"]
Weights = Annotated[Tensor, "weights"]
Delta = Annotated[Tensor, "delta"]
Deltas = Annotated[Tensor, "deltas"]
Vector = Annotated[Tensor, "vector"]
Vectors = Annotated[Tensor, "vectors"]
Stat = Annotated[Any, "stat"]
Here = Annotated[Place, "here"]
Masks = Annotated[Random, "random"]


def total(stack: Tensor) -> Tensor:
    """The sum over the first dimension, in order: torch's own sum changes order with the width."""
    result = stack[0].clone()
    for row in stack[1:]:
        result += row
    return result


Stats = Callable[..., Any]

Value = Scalar | tuple[float, ...] | tuple[str, ...]
"""Of a parameter for one tensor; a tuple has one per model."""

Values = tuple[tuple[str, Value], ...]
"""Parameters by name."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """The second half of a method that looks at more than one tensor (see fit.py).

    `find(models, **parameters)` yields, key by key, what the body then gets as its `Stat`. `unless`
    is a parameter and the value at which `stats` does instead.
    """

    find: Callable[..., Iterator[tuple[str, Any]]]
    probe: ProbeKind | None = None
    unless: tuple[str, Scalar] | None = None

    @property
    def spec(self) -> FitSpec:
        """It as data."""
        _models, *taken = _keywords(self.find)
        return FitSpec(tuple(taken), self.probe, self.unless)

    def run(self, models: Any, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """What it finds in `models`, given the values of its own parameters."""
        takes = _keywords(self.find)
        return self.find(models, **{takes[name]: value for name, value in values.items()})


@dataclass(frozen=True, slots=True)
class Method:
    """A method with its body. `stats(whole, **parameters)` runs first where it is given."""

    spec: MethodSpec
    body: Callable[..., Tensor]
    stats: Stats | None
    placed: bool
    """True if the body asks where its slab lies."""
    fit: Fitting | None = None

    @property
    def name(self) -> str:
        """The word in `merge_method`."""
        return self.spec.name

    @property
    def knows_elements_only(self) -> bool:
        """Whether nothing but an element's own values decides on it, whatever tensor it is of."""
        looks = self.stats is not None or self.fit is not None
        return self.spec.unit == "element" and not (looks or self.placed or self.spec.random)

    def survey(self, whole: Whole, values: Mapping[str, Any]) -> Any:
        """What `stats` says of the whole tensors; None for a method that needs nothing."""
        if self.stats is None:
            return None
        takes = _keywords(self.stats)
        return self.stats(
            whole, **{takes[name]: value for name, value in values.items() if name in takes}
        )

    def merge(
        self, stack: Tensor, stat: Any, place: Place, random: Random | None,
        values: Mapping[str, Any],
    ) -> Tensor:  # fmt: skip
        """The body's result for `stack` [n, *shape], float32."""
        arguments: list[Any] = [stack] if self.spec.models[1] is None else [*stack]
        if self.stats is not None or self.fit is not None:
            arguments.append(stat)
        if self.placed:
            arguments.append(place)
        if self.spec.random:
            arguments.append(random)
        takes = _keywords(self.body)
        return self.body(*arguments, **{takes[name]: value for name, value in values.items()})

    def shares(self, values: Values, count: int) -> list[float] | None:
        """How much of each of `count` models the result is; None if it is no fixed sum of them.

        An elementwise method that turns with its models is one, and says its shares of unit
        vectors.
        """
        rotation = self.spec.rotation
        if not self.knows_elements_only or rotation is None or not rotation.holds(dict(values)):
            return None
        units = torch.eye(count, dtype=torch.float64)
        given = arguments(values, 2, torch.float64)
        mixed = self.merge(units, None, Place(0, count, (count,)), None, given)
        return [float(one) for one in mixed]


def is_mean(shares: Sequence[float] | None) -> bool:
    """Whether shares are known and sum to 1, so that a sum moves with its models."""
    # weights of a body may be single-precision numbers
    return shares is not None and abs(sum(shares) - 1) <= 1e-6


def arguments(values: Values, rank: int, dtype: torch.dtype) -> dict[str, Any]:
    """Parameter values for a body; numbers, one per model, are a tensor that fits the stack."""
    shape = (-1, *[1] * (rank - 1))
    return {name: as_tensor(value, dtype, shape) for name, value in values}


def as_tensor(value: Value, dtype: torch.dtype, shape: tuple[int, ...] = (-1,)) -> Any:
    """Numbers, one per model, as a tensor; other values as they are."""
    if not isinstance(value, tuple) or any(isinstance(one, str) for one in value):
        return value
    return torch.tensor(value, dtype=dtype).reshape(shape)


@functools.cache
def _keywords(function: Callable[..., Any]) -> Mapping[str, str]:
    """Parameter → the function's argument for it: `lambda` is written `lambda_` in Python."""
    return {name.rstrip("_"): name for name in inspect.signature(function).parameters}


class Registry(Named[Method]):
    """Methods by name. A value: copyable, `add` refuses a second method of the same name."""

    taken = MethodError

    def unknown(self, name: str) -> Method:
        if name in manifest():
            what = f"the method '{name}' has no body here"
            raise UnknownMethod(what, hint="Load its plug-in with --plugin.")
        raise UnknownMethod(f"there is no method '{name}'", hint=nearest(name, self))


METHODS = Registry()


def method(
    *, title: str, paper: str, unit: Unit = "element", stats: Stats | None = None,
    fit: Fitting | None = None, rotation: Rotation | Side | None = None, version: int = 1,
    registry: Registry = METHODS,
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:  # fmt: skip
    """Register the function as a merge method; its name is the word in `merge_method`.

    `version` counts up when the same inputs come to give other bytes: it is part of a task's key.
    """

    def register(body: Callable[..., Tensor]) -> Callable[..., Tensor]:
        takes, tail = _takes(body, stats is not None or fit is not None)
        fixed = not takes[0].endswith("s")
        spec = MethodSpec(
            name=body.__name__,
            title=title,
            summary=summary(body),
            details=details(body),
            paper=paper,
            space=_SEEN[takes[0].removesuffix("s")],
            unit=unit,
            models=(len(takes), len(takes)) if fixed else (1, None),
            ordered=len(takes) > 1,
            random="random" in tail,
            version=version,
            params=read_params(body),
            fit=None if fit is None else fit.spec,
            rotation=Rotation(rotation) if isinstance(rotation, str) else rotation,
        )
        registry.add(Method(spec, body, stats, "here" in tail, fit))
        return body

    return register


_SEEN: Mapping[str, Seen] = {"weight": "weight", "delta": "delta", "vector": "either"}


def _takes(body: Callable[..., Tensor], stat: bool) -> tuple[list[str], list[str]]:
    """What the body merges, and what it asks for beside; a TypeError if it is not a method."""
    hints = inspect.get_annotations(body, eval_str=True)
    roles = [
        next(iter(getattr(hints.get(argument.name), "__metadata__", ())), "")
        for argument in inspect.signature(body).parameters.values()
        if argument.kind is not argument.KEYWORD_ONLY
    ]
    tail = ["stat"] * stat + [role for role in ("here", "random") if role in roles]
    merged = roles[: len(roles) - len(tail)]
    fixed = len(set(merged)) == 1 and merged[0] in _SEEN
    plural = len(merged) == 1 and merged[0].removesuffix("s") in _SEEN
    if not (fixed or plural) or roles != merged + tail:
        raise TypeError(
            f"{body.__name__}: the positional arguments are `a: Weight, b: Weight, …`, "
            "`a: Delta, b: Delta, …`, `weights: Weights` or `deltas: Deltas` (or `Vector` and "
            "`Vectors`, for either), then a `Stat` if (and only if) there is stats=… or fit=…, "
            "then a `Here` if the body looks where its slab lies, then `Masks` if it is random"
        )
    return merged, tail
