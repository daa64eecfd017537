"""Draw prompts with a pipeline: the same seed gives the same noise, whatever the model or batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Sampling:
    """How pictures are drawn. Size None: what the model was made for, in pixels."""

    steps: int = 25
    guidance: float = 7.5
    negative: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture to draw."""

    prompt: str
    seed: int


def draw(
    pipeline: Any, shots: Sequence[Shot], sampling: Sampling, batch: int = 8
) -> Iterator[Image]:
    """A picture per shot, in order, `batch` at a time."""
    for start in range(0, len(shots), batch):
        group = shots[start : start + batch]
        # each picture has a generator of its own, so that its noise does not depend on the batch
        noise = [torch.Generator("cpu").manual_seed(shot.seed) for shot in group]
        result = pipeline(
            prompt=[shot.prompt for shot in group],
            negative_prompt=[sampling.negative] * len(group) if sampling.negative else None,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance,
            width=sampling.width,
            height=sampling.height,
            generator=noise,
        )
        yield from result.images
