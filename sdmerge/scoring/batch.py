"""Batch: pictures as every scorer sees them, and what is known of each.

A scorer never sees more than anyone could: pictures have 256 levels per channel, whether they come
from a file or from a pipeline. So a picture that was saved scores what it scored when it was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL.Image import Image, fromarray
from torch import Tensor

from sdmerge.errors import ScorerError

_BLACK = 2
"""The highest level of a picture that counts as black: decoders rarely hit zero everywhere."""
_FLAT = 1.0
"""Pictures whose levels spread less than this, as a standard deviation, show nothing."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures of one size with their texts; `references` are of any size."""

    levels: Tensor
    """The pictures, uint8 [n, 3, h, w], on the CPU."""
    prompts: tuple[str, ...]
    captions: tuple[str, ...]
    references: tuple[Tensor, ...] = ()
    """One picture each, uint8 [3, h, w]; empty if there are none."""
    flags: tuple[str, ...] = ()
    """What is wrong with each picture: nan, black, flat, or nothing."""

    @property
    def pictures(self) -> Tensor:
        """The pictures, float32 [n, 3, h, w] from 0 to 1."""
        return self.levels.float() / 255

    def __len__(self) -> int:
        return len(self.levels)


def batch_of(
    pictures: Tensor | Sequence[Tensor | Image],
    *,
    prompts: Sequence[str] = (),
    captions: Sequence[str] = (),
    references: Sequence[Tensor | Image] = (),
) -> Batch:
    """A batch of pictures of one size: PIL, uint8, or floats from 0 to 1, [3, h, w] each.

    Captions default to the prompts.
    """
    found = [as_levels(picture) for picture in pictures]
    levels = [one for one, _ in found]
    if len({one.shape for one in levels}) != 1:
        raise ScorerError("a batch holds one picture or more, all of one size")
    for name, given in (("prompts", prompts), ("captions", captions), ("references", references)):
        if given and len(given) != len(levels):
            raise ScorerError(f"there are {len(levels)} pictures and {len(given)} {name}")
    said = tuple(prompts) or ("",) * len(levels)
    return Batch(
        torch.stack(levels),
        said,
        tuple(captions) or said,
        tuple(as_levels(one)[0] for one in references),
        tuple(flag for _, flag in found),
    )


def as_levels(picture: Tensor | Image) -> tuple[Tensor, str]:
    """The picture as uint8 [3, h, w] on the CPU, and what is wrong with it, if anything."""
    if isinstance(picture, Tensor):
        levels, broken = _rounded(picture.detach().cpu())
    else:
        levels, broken = from_image(picture), False
    return levels, "nan" if broken else _flaw(levels)


def from_image(picture: Image) -> Tensor:
    """A PIL picture as uint8 [3, h, w]."""
    rgb: Any = np.array(picture.convert("RGB"))
    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()  # pyright: ignore[reportUnknownMemberType]


def to_image(levels: Tensor) -> Image:
    """A picture uint8 [3, h, w] for PIL."""
    return fromarray(levels.permute(1, 2, 0).numpy())


def _rounded(picture: Tensor) -> tuple[Tensor, bool]:
    if picture.dim() != 3 or picture.shape[0] != 3 or not picture.numel():
        raise ScorerError(f"a picture is a tensor [3, h, w], not {list(picture.shape)}")
    if picture.dtype == torch.uint8:
        return picture.contiguous(), False
    if not picture.is_floating_point():
        raise ScorerError(f"a picture is uint8 or floats from 0 to 1, not {picture.dtype}")
    wide = picture.float()
    broken = not bool(torch.isfinite(wide).all())
    return (wide.nan_to_num(0.0).clamp(0, 1) * 255).round().byte().contiguous(), broken


def _flaw(levels: Tensor) -> str:
    if int(levels.max()) <= _BLACK:
        return "black"
    spread = levels.float().flatten(1).std(dim=1, correction=0).max()
    return "flat" if float(spread) < _FLAT else ""
