"""Anatomy: how much a LoRA changes in each block, and along how many directions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from sdmerge.adapters import LoraFile, MappedSource
from sdmerge.adapters.lora.source import LoraSource
from sdmerge.families import Family
from sdmerge.lora.convert import Model, models_of
from sdmerge.lora.measured import Change, Changes, spectrum


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A LoRA by canonical tensor: what it changes, and what is not measured.

    families: What it may be for, of which the first is taken: several where nothing tells.
    other: Modules that are not measured, each with its kind: kinds that are not read, and without
        a base those that act on its weights (then it needs one).
    """

    families: tuple[Family, ...]
    changes: Mapping[str, Change]
    other: Mapping[str, str]
    kinds: Mapping[str, int]
    ranks: Mapping[int, int]
    alphas: Mapping[float, int]
    needs_base: bool = False

    @property
    def family(self) -> Family:
        """The family by whose names it is told."""
        return self.families[0]

    @property
    def blocks(self) -> tuple[str, ...]:
        """The labels of the blocks it changes, text encoders first."""
        found = {self.family.block(key) for key in self.changes}
        return tuple(one for one in ("BASE", *self.family.blocks, "VAE") if one in found)

    def of_block(self, block: str) -> list[str]:
        """The weights it changes in a block."""
        return [key for key in self.changes if self.family.block(key) == block]


@dataclass(frozen=True, slots=True)
class BlockNorm:
    """‖ΔW‖ of a block's weights together, how many they are, and their mean effective rank.

    share: ‖ΔW‖ / ‖W‖, where the base is known.
    """

    block: str
    modules: int
    norm: float
    effective_rank: float
    share: float | None


def anatomy(lora: LoraFile, base: MappedSource | None = None) -> Anatomy:
    """What a LoRA holds; a FamilyError where its names and shapes fit no known model."""
    models = [Model.of(base)] if base else models_of(lora)
    model = models[0]
    read = replace(lora, contents=replace(lora.contents, unread=(), strange=()))
    bound = read.bind(model.family, model.specs, model.single_file)
    changes = Changes(bound, base)
    other = {module.name: module.kind for module in lora.contents.unread}
    acting = _acting(bound, changes) if base is None else set[str]()
    other |= {module.name: module.kind for module in lora.modules if module.name in acting}
    ranked = [(module.rank, module.scale) for module in lora.modules if module.rank]
    return Anatomy(
        families=tuple(one.family for one in models),
        changes=changes,
        other=other,
        kinds=lora.kinds,
        ranks=lora.ranks,
        alphas=dict(sorted(Counter(scale * rank for rank, scale in ranked).items())),
        needs_base=bool(acting),
    )


def _acting(bound: LoraSource, changes: Changes) -> set[str]:
    """The modules that act on a weight."""
    keys = [key for key in bound.specs if changes.acts(key)]
    return {change.module for key in keys for change in bound.changes[key]}


def block_norms(found: Anatomy, base: MappedSource | None = None) -> list[BlockNorm]:
    """Every block that the LoRA changes, in depth order."""
    made: list[BlockNorm] = []
    for block in found.blocks:
        keys = found.of_block(block)
        values = [spectrum(found.changes[key]) for key in keys]
        length = math.sqrt(sum(float(one.square().sum()) for one in values))
        whole = math.hypot(*(_length(base, key) for key in keys)) if base else 0.0
        share = length / whole if whole else None
        ranks = sum(map(effective_rank, values))
        made.append(BlockNorm(block, len(keys), length, ranks / len(keys), share))
    return made


def effective_rank(values: Tensor) -> float:
    """Exp(entropy) of the singular values as shares of their sum; 0 for a zero matrix.

    Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    """
    total = float(values.sum())
    if not total:
        return 0.0
    shares = values[values > 0] / total
    return math.exp(-float((shares * shares.log()).sum()))


def _length(base: MappedSource, key: str) -> float:
    return math.sqrt(float(base.read(key).double().square().sum()))
