"""Anatomy: how much a LoRA changes in each block, and along how many directions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from sdmerge.adapters import LoraFile, MappedSource
from sdmerge.adapters.lora.binding import some
from sdmerge.adapters.lora.learned import raw_modules, read_learned
from sdmerge.adapters.lora.parts import (
    MAGNITUDE,
    factors_of,
    is_low_rank,
    kind_of,
    rank_of,
    scale_of,
)
from sdmerge.adapters.lora.targets import Targets
from sdmerge.errors import FamilyError
from sdmerge.families import Family
from sdmerge.lora.convert import Model, models_of
from sdmerge.lowrank import Factors, norm, singular_values


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A LoRA by canonical weight: its plain modules' ΔW; `other` are those of other kinds.

    families: What it may be for, of which the first is taken: several where nothing tells.
    """

    families: tuple[Family, ...]
    changes: Mapping[str, Factors]
    other: Mapping[str, str]
    kinds: Mapping[str, int]
    ranks: Mapping[int, int]
    alphas: Mapping[float, int]

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
    modules = raw_modules(lora)
    models = [Model.of(base)] if base else models_of(lora, modules)
    model = models[0]
    targets = Targets(model.family, model.specs, model.single_file)
    learned = read_learned(lora, modules, targets, model.specs)
    if learned.lost:
        shown = some(f"{name} ({why})" for name, why in learned.lost.items())
        what = f"{len(learned.lost)} of {len(modules)} modules have no place in "
        hint = "Name the model it is for with --base."
        raise FamilyError(f"{what}{model.family.title}: {shown}", where=str(lora.path), hint=hint)
    parts = learned.parts
    plain = {key: one for key, one in parts.items() if is_low_rank(one) and MAGNITUDE not in one}
    low_rank = [one for one in parts.values() if is_low_rank(one)]
    return Anatomy(
        families=tuple(one.family for one in models),
        changes={key: factors_of(one) for key, one in plain.items()},
        other={key: kind_of(one) for key, one in parts.items() if key not in plain},
        kinds=Counter(map(kind_of, parts.values())),
        ranks=dict(sorted(Counter(map(rank_of, low_rank)).items())),
        alphas=dict(sorted(Counter(scale_of(one) * rank_of(one) for one in low_rank).items())),
    )


def block_norms(found: Anatomy, base: MappedSource | None = None) -> list[BlockNorm]:
    """Every block that the LoRA changes, in depth order."""
    made: list[BlockNorm] = []
    for block in found.blocks:
        keys = found.of_block(block)
        length = math.hypot(*(norm(found.changes[key]) for key in keys))
        ranks = [effective_rank(singular_values(found.changes[key])) for key in keys]
        whole = math.hypot(*(_length(base, key) for key in keys)) if base else 0.0
        share = length / whole if whole else None
        made.append(BlockNorm(block, len(keys), length, sum(ranks) / len(ranks), share))
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
