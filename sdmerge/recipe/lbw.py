"""LoRA block weights: the rows of numbers that LoRA tools write, and the names they go by.

A LoRA changes fewer blocks than a checkpoint has, so its rows are shorter: 17 numbers for Stable
Diffusion 1 and 2, 12 for XL, which are the blocks with attention. A row of 26 or 20 numbers has all
blocks. BASE, the first number, is the text encoders'. A block that the row leaves out gets 0, as in
sd-webui-lora-block-weight (kohya's scripts let such a block be).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_IN, _OUT = "IN{:02}".format, "OUT{:02}".format
_WITH_ATTENTION: Mapping[int, tuple[str, ...]] = {
    25: (*map(_IN, (1, 2, 4, 5, 7, 8)), "M00", *map(_OUT, range(3, 12))),
    19: (*map(_IN, (4, 5, 7, 8)), "M00", *map(_OUT, range(6))),
}
"""By the number of blocks that a UNet has: 25 in Stable Diffusion 1 and 2, 19 in XL."""


class _Parts(NamedTuple):
    """What a name stands for: BASE, and the parts of a short row from its begin to its end.

    Shallow blocks lie far from the middle, deep ones near to it.
    """

    base: float
    shallow_in: float
    deep_in: float
    middle: float
    deep_out: float
    shallow_out: float


_LENGTHS: Mapping[int, tuple[int, ...]] = {25: (1, 3, 3, 1, 4, 5), 19: (1, 2, 2, 1, 3, 3)}
"""How many numbers of a short row each part has, by the number of blocks."""

LBW_PRESETS: Mapping[str, Sequence[float]] = {
    "NONE": _Parts(0, 0, 0, 0, 0, 0),
    "ALL": _Parts(1, 1, 1, 1, 1, 1),
    "ALL0.5": _Parts(0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
    "INS": _Parts(1, 1, 0, 0, 0, 0),
    "IND": _Parts(1, 0, 1, 0, 0, 0),
    "INALL": _Parts(1, 1, 1, 0, 0, 0),
    "MIDD": _Parts(1, 0, 1, 1, 1, 0),
    "OUTD": _Parts(1, 0, 0, 0, 1, 0),
    "OUTS": _Parts(1, 0, 0, 0, 0, 1),
    "OUTALL": _Parts(1, 0, 0, 0, 1, 1),
}
"""The names that sd-webui-lora-block-weight comes with, which are those of short rows."""


def lbw_labels(blocks: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The blocks of each row that fits a model of these blocks, the short row first.

    None for a network that is no UNet of 25 or 19 blocks.
    """
    short = _WITH_ATTENTION.get(len(blocks), ())
    if not short or not set(short) <= set(blocks):
        return ()
    return ("BASE", *short), ("BASE", *blocks)


def lbw_numbers(name: str, blocks: Sequence[str]) -> tuple[float, ...]:
    """The short row that a name stands for, in a model of these blocks."""
    parts = zip(LBW_PRESETS[name], _LENGTHS[len(blocks)], strict=True)
    return tuple(float(number) for number, length in parts for _ in range(length))
