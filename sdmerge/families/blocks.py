"""Blocks: the labels people give a model's layers when they merge with a weight for each.

They number the first release's `input_blocks` and `output_blocks`, as every block-weight list does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_DOWN_UP = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|\w+samplers)\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Blocks:
    """The labels in depth order, and which of them a tensor of the main component has."""

    names: tuple[str, ...]
    label: Callable[[str], str]


def unet_blocks(levels: int, layers: int = 2) -> Blocks:
    """A UNet's blocks: IN00 …, M00, OUT00 …; a level has `layers` and what leads to the next."""
    step = layers + 1
    count = step * levels

    def label(key: str) -> str:
        if match := _DOWN_UP.match(key):
            way, level, kind, place = match[1], int(match[2]), match[3], int(match[4])
            if way == "up":
                return f"OUT{step * level + (layers if kind == 'upsamplers' else place):02d}"
            return f"IN{step * level + (layers if kind == 'downsamplers' else place) + 1:02d}"
        if key.startswith("mid_block."):
            return "M00"
        # what comes after the last block belongs to it; the embeddings, which feed all, to IN00
        return f"OUT{count - 1:02d}" if key.startswith(("conv_norm_out.", "conv_out.")) else "IN00"

    inner = [f"{way}{n:02d}" for way in ("IN", "OUT") for n in range(count)]
    names = (*inner[:count], "M00", *inner[count:])
    return Blocks(names, label)
