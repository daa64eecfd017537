"""What a recipe says, as immutable types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sdmerge.params import Scalar

Layout = Literal["diffusers", "single-file", "lora"]
Rounding = Literal["nearest", "stochastic"]


@dataclass(frozen=True, slots=True)
class Gradient:
    """A list: straight lines through these points, over a range of blocks or the whole depth."""

    points: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Mbw:
    """One number per block, as block-weight tools write them: BASE, IN00, …, M00, OUT00, …"""

    numbers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lbw:
    """LoRA block weights: a row of numbers as LoRA tools write them, or the name of one.

    Each number is multiplied by `strength`; blocks that the row leaves out get 0.
    """

    row: str | tuple[float, ...]
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Preset:
    """A named curve over relative depth."""

    name: str


GROUPINGS = ("block", "layer", "component", "type", "model")
"""What a value may be one per: see sdmerge.plan.groups, which says what each tensor's is."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """A value per block, layer, component, type of layer or model, by its label.

    Tensors of groups that are left out go to the next rule.
    """

    per: str
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Search:
    """A search mark: a number between `low` and `high`, whole where these are, or a choice.

    A plain merge uses `init`. With `per` it is a gene per group, else one.
    """

    low: float
    high: float
    init: Scalar
    per: str = ""
    log: bool = False
    tie: str = ""
    """Marks of the same name are one gene."""
    simplex: str = ""
    """The genes of marks with this name are shares: they are made to sum to 1."""
    choices: tuple[Scalar, ...] = ()
    """The words or switches to choose from, where it is no number."""


Value = Scalar | Gradient | Mbw | Lbw | Preset | Grouped | Search


@dataclass(frozen=True, slots=True)
class Rule:
    """`value` for the tensors that `filter` takes; without a filter, for all that are left."""

    value: Value
    filter: str | None = None
    where: str = field(default="", compare=False)


Setting = tuple[Rule, ...]
"""A parameter's rules; the first that matches a tensor wins."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model of a stage: a path, a hub id or the name of an earlier stage."""

    path: str
    name: str
    parameters: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    named: bool = False
    """Whether the recipe gave the name; otherwise it is the file's stem."""
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ComponentRule:
    """Another rule for one component: taken whole from `take`, or merged by `method`.

    `config` is what a scheduler's config says instead of what it says where it comes from.
    """

    take: str | None = None
    method: str | None = None
    parameters: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    config: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    where: str = field(default="", compare=False)
    mark: Search | None = None
    """A search over `take` or `method`, which hold where it starts."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A LoRA that acts on a stage's result, with its strength."""

    path: str
    weight: float = 1.0
    where: str = field(default="", compare=False)
    mark: Search | None = None
    """A search over `weight`, which holds where it starts."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One document: models, a method and its parameters."""

    method: str
    models: tuple[ModelRef, ...]
    base: str | None = None
    name: str = ""
    parameters: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    components: Mapping[str, ComponentRule] = field(default_factory=dict[str, ComponentRule])
    apply: tuple[Applied, ...] = ()
    """LoRAs of any kind that act on the result, one after the other."""
    layer_ranges: tuple[tuple[str, int, int], ...] = ()
    """mergekit's `slices`: per model a full range of layers, checked against the files."""
    repeat: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often layers of the result are run through, by a filter that takes their tensors."""
    where: str = field(default="", compare=False)
    mark: Search | None = None
    """A search over `method`, which holds where it starts."""


@dataclass(frozen=True, slots=True)
class Output:
    """How the result is stored. `dtype` None: each tensor keeps the base's."""

    layout: Layout | None = None
    dtype: str | None = None
    lora: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    """What a LoRA keeps, and in whose names: see recipe/output.py."""
    rounding: Rounding = "nearest"
    remove_below: float = 0.0
    """Layers all of whose branches have a smaller gain are left out."""
    prune: bool = False
    """Leave out tensors that no pipeline uses."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A merge in words. The last stage is the result; `folder` is where relative paths start."""

    stages: tuple[Stage, ...]
    output: Output = Output()
    seed: int = 0
    grid: Mapping[str, Any] = field(default_factory=dict[str, Any])
    evolve: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lines: Mapping[str, str] = field(default_factory=dict[str, str], compare=False, repr=False)
    """Where `evolve` says what, by path: evolve.fitness[0].scorer → r.yaml:12."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What was accepted and has no meaning here, for the Report."""
    folder: Path | None = field(default=None, compare=False)
    where: str = field(default="", compare=False)
