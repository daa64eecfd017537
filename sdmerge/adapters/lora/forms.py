"""Forms: as what a weight's change is stored, in which parts, and of which shapes.

lora  up and down, of a kernel as well (LoCon)
dora  the same, and a magnitude for each row of the tuned weight
lokr  the two factors of a Kronecker product, whole or the second of low rank
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from sdmerge.adapters.lora.parts import ALPHA, DOWN, MAGNITUDE, UP, Parts
from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.tensors.spec import ITEMSIZE

FormName = Literal["lora", "dora", "lokr"]
LEFT, RIGHT = "lokr_w1", "lokr_w2"
RIGHT_UP, RIGHT_DOWN = "lokr_w2_a", "lokr_w2_b"
_SINGLE = (ALPHA, MAGNITUDE)
"""Parts that are float32 whatever the others are: a magnitude's rounding would be the weight's."""


@dataclass(frozen=True, slots=True)
class Form:
    """As what changes are stored; `factor` is how a LoKr splits sizes (see `factorization`)."""

    name: FormName = "lora"
    factor: int = -1

    @property
    def dialect(self) -> Dialect:
        """Whose names it bears if nobody asks for others: those of PEFT have no LoKr of theirs."""
        return "kohya" if self.name == "lokr" else "diffusers"

    @property
    def network(self) -> tuple[str, Mapping[str, str]]:
        """Kohya's words for it: the module that reads it, and the arguments that tell the kind."""
        if self.name == "lora":
            return "networks.lora", {}
        if self.name == "dora":
            return "lycoris.kohya", {"algo": "lora", "dora_wd": "True"}
        return "lycoris.kohya", {"algo": "lokr", "factor": str(self.factor)}

    def sides(self, shape: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """(o₁, o₂) and (i₁, i₂) of a LoKr's factors [o₁, i₁] and [o₂, i₂·k·k]."""
        (left, right), kernel = factorization(shape[1], self.factor), math.prod(shape[2:])
        return factorization(shape[0], self.factor), (left, right * kernel)

    def right_rank(self, shape: Sequence[int], rank: int | None) -> int | None:
        """The rank of a LoKr's second factor; None where it is stored whole.

        LyCORIS' rule: whole from half of its longer side on. And wherever it then takes no more
        room, and of kernels: of a flattened one LyCORIS' loader cannot tell the split.
        """
        (_, rows), (_, columns) = self.sides(shape)
        if rank is None or math.prod(shape[2:]) > 1 or 2 * rank >= max(rows, columns):
            return None
        return None if rank * (rows + columns) >= rows * columns else rank

    def shapes(self, shape: Sequence[int], rank: int | None) -> dict[str, tuple[int, ...]]:
        """The shapes of a matrix's or kernel's parts; without a rank of the largest."""
        if self.name != "lokr":
            rank = min(shape[0], math.prod(shape[1:]), rank or shape[0])
            ones = (1,) * (len(shape) - 2)
            made = {DOWN: (rank, *shape[1:]), UP: (shape[0], rank, *ones), ALPHA: ()}
            return {**made, MAGNITUDE: (shape[0], 1, *ones)} if self.name == "dora" else made
        (left, rows), (wide, columns) = self.sides(shape)
        made = {LEFT: (left, wide), ALPHA: ()}
        if (own := self.right_rank(shape, rank)) is None:
            return {**made, RIGHT: (rows, factorization(shape[1], self.factor)[1], *shape[2:])}
        return {**made, RIGHT_UP: (rows, own), RIGHT_DOWN: (own, columns)}

    def blank(self, shape: Sequence[int], rank: int = 1) -> Parts:
        """Parts of a matrix or kernel that have shapes and no numbers."""
        made = self.shapes(shape, rank).items()
        return {name: torch.empty(size, device="meta") for name, size in made}

    def nbytes(self, shape: Sequence[int], rank: int | None, dtype: str) -> int:
        """The bytes of a matrix's or kernel's parts, stored in `dtype` ("F16")."""
        return sum(
            math.prod(size) * ITEMSIZE["F32" if name in _SINGLE else dtype]
            for name, size in self.shapes(shape, rank).items()
        )


PLAIN = Form()


def factorization(size: int, factor: int = -1) -> tuple[int, int]:
    """`size` as a product, the smaller number first, as LyCORIS chooses it for a LoKr.

    With -1 as even as possible; else with `factor` where that divides, or with the largest smaller
    divisor.
    """
    if factor > 0 and size % factor == 0:
        return min(factor, size // factor), max(factor, size // factor)
    most = math.isqrt(size) if factor < 0 else min(factor, math.isqrt(size))
    small = next(number for number in range(most, 0, -1) if size % number == 0)
    return small, size // small
