"""Overlap: whether two LoRAs change the same features, and in the same direction.

The columns of ΔW span what a module writes, its rows what it reads. Two modules that write into
the same space get in each other's way, or help each other, wherever both are active.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from sdmerge.errors import FamilyError
from sdmerge.lora.anatomy import Anatomy
from sdmerge.lora.measured import product, sides, spaces, spectrum
from sdmerge.lowrank import principal_angles

_CLOSE = 0.25
"""Of the way from the overlap that chance gives to a full one: from here on it is worth a word."""


@dataclass(frozen=True, slots=True)
class Spaces:
    """How much of two spaces of each weight is shared, over the weights of a block.

    overlap: Σ cos²θ / Σ min(p, q) over all principal angles θ: 0 at right angles, 1 if one space
        holds the other.
    chance: The overlap to expect of random spaces, Σ p·q/n / Σ min(p, q) in n dimensions.
    angle: The smallest principal angle of any of the weights, in degrees.
    """

    overlap: float
    chance: float
    angle: float

    @property
    def is_close(self) -> bool:
        """Whether far more is shared than by chance."""
        return self.overlap - self.chance >= _CLOSE * (1 - self.chance) and self.chance < 1


@dataclass(frozen=True, slots=True)
class BlockOverlap:
    """Two LoRAs in one block: the cosine of their changes, and the spaces both write and read.

    None where they have no weight in common.
    """

    block: str
    shared: int
    cosine: float | None
    written: Spaces | None
    read: Spaces | None


def overlap(first: Anatomy, second: Anatomy) -> list[BlockOverlap]:
    """Every block that either changes; LoRAs for other models than each other's are an error."""
    if not {one.name for one in first.families} & {one.name for one in second.families}:
        titles = f"{first.family.title} and {second.family.title}"
        raise FamilyError(f"the LoRAs are for different models: {titles}")
    known = ("BASE", *first.family.blocks, "VAE")
    either = {*first.blocks, *second.blocks}
    return [_overlap(first, second, block) for block in known if block in either]


def sentences(found: Sequence[BlockOverlap]) -> list[str]:
    """The answer in words."""
    if not any(one.shared for one in found):
        return ["They change different weights: each keeps what it does."]
    said: list[str] = []
    for what, every in (
        ("write into", [(one.block, one.written) for one in found]),
        ("read", [(one.block, one.read) for one in found]),
    ):
        close = [(block, one) for block, one in every if one is not None and one.is_close]
        if not close:
            said.append(f"They {what} no more of the same features than chance gives.")
            continue
        names = ", ".join(f"{block} ({one.overlap:.2f})" for block, one in close)
        said.append(f"They {what} the same features in {names}.")
    aligned = [one for one in found if one.cosine is not None and abs(one.cosine) >= _CLOSE]
    for word, sign in (("strengthen", 1), ("cancel", -1)):
        names = ", ".join(one.block for one in aligned if (one.cosine or 0) * sign > 0)
        said += [f"They {word} each other in {names}."] if names else []
    return said


def _overlap(first: Anatomy, second: Anatomy, block: str) -> BlockOverlap:
    mine, other = first.of_block(block), second.of_block(block)
    keys = [key for key in mine if key in second.changes]
    if not keys:
        return BlockOverlap(block, 0, None, None, None)
    squares, shared = [0.0, 0.0], 0.0
    written: list[tuple[Tensor, Tensor]] = []
    read: list[tuple[Tensor, Tensor]] = []
    for place, (lora, own) in enumerate(((first, mine), (second, other))):
        alone = [lora.changes[key] for key in own if key not in keys]
        squares[place] += sum(float(spectrum(change).square().sum()) for change in alone)
    for key in keys:
        one, two = first.changes[key], second.changes[key]
        if sides(one) != sides(two):
            raise FamilyError(f"the LoRAs are for models of different widths: {key}")
        shared += product(one, two)
        (left, sigma, right), (left2, sigma2, right2) = spaces(one), spaces(two)
        squares[0] += float(sigma.square().sum())
        squares[1] += float(sigma2.square().sum())
        written.append((left, left2))
        read.append((right, right2))
    lengths = math.sqrt(squares[0]) * math.sqrt(squares[1])
    cosine = shared / lengths if lengths else None
    return BlockOverlap(block, len(keys), cosine, _spaces(written), _spaces(read))


def _spaces(pairs: Sequence[tuple[Tensor, Tensor]]) -> Spaces | None:
    """None where one of the two is zero in every weight."""
    pairs = [(a, b) for a, b in pairs if min(a.shape[1], b.shape[1])]
    most = sum(min(a.shape[1], b.shape[1]) for a, b in pairs)
    if not most:
        return None
    angles = [principal_angles(a, b) for a, b in pairs]
    shared = sum(float(one.cos().square().sum()) for one in angles)
    random = sum(a.shape[1] * b.shape[1] / len(a) for a, b in pairs)
    smallest = min(float(one.min()) for one in angles)
    return Spaces(shared / most, random / most, math.degrees(smallest))
