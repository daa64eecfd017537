"""Headers of models of every family and layout."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from functools import cache

import torch
from torch import Tensor

from sdmerge.families import FAMILIES, Family, component_map, single_file_map
from sdmerge.tensors.spec import TensorSpec

Specs = dict[str, TensorSpec]

# widths that nothing of the families has, and text encoders of three layers
NARROW: Mapping[str, int] = {
    **dict(zip(("c0", "c1", "c2", "x", "a"), (24, 48, 72, 20, 36), strict=True)),
    **dict(zip("wfnpvj", (96, 288, 3, 24, 200, 40), strict=True)),
}


def canonical(
    family: Family, components: Iterable[str] | None = None, sizes: Mapping[str, int] | None = None
) -> Specs:
    """Canonical tensors of a family, whole or some components, at full size or another."""
    return dict(_canonical(family.name, *_hashable(family, components, sizes)))


def single_file(
    family: Family, components: Iterable[str] | None = None, sizes: Mapping[str, int] | None = None
) -> Specs:
    """The header of a single file."""
    return dict(_single_file(family.name, *_hashable(family, components, sizes)))


Names = tuple[str, ...]
Sizes = tuple[tuple[str, int], ...]


def _hashable(
    family: Family, components: Iterable[str] | None, sizes: Mapping[str, int] | None
) -> tuple[Names, Sizes]:
    return tuple(components or family.by_name), tuple((sizes or {}).items())


@cache
def _canonical(family: str, components: Names, sizes: Sizes) -> Specs:
    specs = (FAMILIES.get(family).specs(name, dict(sizes)) for name in components)
    return {key: spec for one in specs for key, spec in one.items()}


@cache
def _single_file(family: str, components: Names, sizes: Sizes) -> Specs:
    specs = _canonical(family, components, sizes)
    return dict(single_file_map(FAMILIES.get(family), specs).specs)


def folder(family: Family, sizes: Mapping[str, int] | None = None) -> dict[str, Specs]:
    """The headers of a diffusers folder by component."""
    specs = canonical(family, None, sizes)
    return {name: dict(component_map(family, name, specs).specs) for name in family.by_name}


def shuffled(specs: Specs, drop: float = 0.0, seed: int = 0) -> Specs:
    """The header in another order, a share of its keys dropped."""
    chance = random.Random(seed)
    names = [name for name in specs if chance.random() >= drop]
    chance.shuffle(names)
    return {name: specs[name] for name in names}


def noise(specs: Mapping[str, TensorSpec], seed: int = 0) -> dict[str, Tensor]:
    """Random bytes for every tensor."""
    bits = torch.Generator().manual_seed(seed)
    return {
        name: torch.randint(-128, 128, spec.shape, dtype=torch.int8, generator=bits)
        for name, spec in specs.items()
    }
