"""The manifest: what every method is and takes, as data, so that nothing needs torch to ask.

`manifest.json` is generated from the registry (`python -m sdmerge.methods`) and a test keeps the
two equal. Plug-ins add their methods to the same value when they are loaded.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any, Literal

from sdmerge.errors import MethodError, UnknownMethod, nearest
from sdmerge.params import Param, Range, Scalar, find_param

Space = Literal["weight", "delta"]
Seen = Literal["weight", "delta", "either"]
"""How a method sees its inputs; `either`: as differences if the recipe has a base."""
Unit = Literal["element", "row", "tensor"]


ProbeKind = Literal["activations", "gradients", "modules", "mergers", "score"]
Side = Literal["both", "left"]


@dataclasses.dataclass(frozen=True, slots=True)
class Rotation:
    """What turning all models alike does to the result: f(Q·A₁·Pᵀ, …) = Q·f(A₁, …)·Pᵀ.

    For any Q and P with orthonormal columns, so that rows and columns of zeros change nothing
    either; on the "left" for Q alone. A tensor is the matrix [out, rest].
    """

    side: Side
    unless: tuple[str, Scalar] | None = None
    """A parameter and the value at which it does not hold."""

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it holds with these values of the parameters."""
        return self.unless is None or values[self.unless[0]] != self.unless[1]


@dataclasses.dataclass(frozen=True, slots=True)
class FitSpec:
    """What a method's second half needs, which looks at more than one tensor."""

    params: tuple[str, ...]
    """The parameters it takes: others may change without fitting again."""
    probe: ProbeKind | None
    unless: tuple[str, Scalar] | None
    """A parameter and the value at which nothing has to be fitted."""


@dataclasses.dataclass(frozen=True, slots=True)
class MethodSpec:
    """A method without its body: all that a form, a flag or a YAML check needs to know."""

    name: str
    title: str
    summary: str
    details: str
    paper: str
    space: Seen
    unit: Unit
    models: tuple[int, int | None]
    """Fewest and most inputs, the base of differences not counted; None: any number."""
    ordered: bool
    """True if the first input plays another part than the second, as in slerp."""
    random: bool
    """True if the recipe's seed changes the result."""
    version: int
    params: tuple[Param, ...]
    fit: FitSpec | None = None
    rotation: Rotation | None = None
    """If there is one, models of low rank are merged by their factors."""

    def space_with(self, *, base: bool) -> Space:
        """How it sees its inputs in a recipe with or without a base_model."""
        if self.space == "either":
            return "delta" if base else "weight"
        return self.space

    def leaves(self, values: Mapping[str, object]) -> bool:
        """Whether gains are all it has for a tensor, and each of them is 1."""
        gains = [param for param in self.params if param.of_branch]
        return bool(gains) and all(values[param.name] == param.default for param in gains)

    def param(self, name: str) -> Param:
        """The parameter called `name`; a MethodError with the nearest word if there is none."""
        return find_param(self.name, self.params, name)


class Manifest(Mapping[str, MethodSpec]):
    """Method name → MethodSpec. A value: `add` is all or nothing, and names a duplicate."""

    def __init__(self, specs: Iterable[MethodSpec] = ()) -> None:
        self._specs: dict[str, MethodSpec] = {}
        self.add(*specs)

    def add(self, *specs: MethodSpec) -> None:
        """Add `specs`; a name that is taken is a MethodError and adds none of them."""
        merged = dict(self._specs)
        for spec in specs:
            if merged.setdefault(spec.name, spec) != spec:
                raise MethodError(f"there are two methods called '{spec.name}'")
        self._specs = merged

    def __getitem__(self, name: str) -> MethodSpec:
        if name not in self._specs:
            known = ", ".join(sorted(self._specs))
            hint = f"{nearest(name, self._specs)} Known: {known}.".strip()
            raise UnknownMethod(f"there is no merge method '{name}'", hint=hint)
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


@functools.cache
def manifest() -> Manifest:
    """The manifest of the built-in methods and of the plug-ins loaded so far."""
    text = resources.files("sdmerge").joinpath("manifest.json").read_text("utf-8")
    return Manifest(_spec(entry) for entry in json.loads(text))


def dump(specs: Iterable[MethodSpec]) -> str:
    """The text of `manifest.json` for `specs`."""
    entries = [dataclasses.asdict(spec) for spec in sorted(specs, key=lambda spec: spec.name)]
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


def _spec(entry: dict[str, Any]) -> MethodSpec:
    fields = dict(entry)
    fewest, most = fields.pop("models")
    params = tuple(param_from(param) for param in fields.pop("params"))
    fit, rotation = fields.pop("fit"), fields.pop("rotation")
    return MethodSpec(
        **fields,
        models=(fewest, most),
        params=params,
        fit=_fit(fit) if fit else None,
        rotation=Rotation(rotation["side"], _pair(rotation["unless"])) if rotation else None,
    )


def _fit(entry: dict[str, Any]) -> FitSpec:
    return FitSpec(tuple(entry["params"]), entry["probe"], _pair(entry["unless"]))


def _pair(entry: list[Any] | None) -> tuple[str, Scalar] | None:
    return (entry[0], entry[1]) if entry else None


def param_from(entry: dict[str, Any]) -> Param:
    """The parameter that a manifest's entry describes."""
    fields = dict(entry)
    bounds, choices = fields.pop("range"), fields.pop("choices")
    return Param(**fields, range=_range(bounds) if bounds else None, choices=tuple(choices))


def _range(entry: dict[str, Any]) -> Range:
    fields = dict(entry)
    limits = fields.pop("limits")
    return Range(**fields, limits=tuple(limits) if limits else None)
