"""References: pictures of what a model is for, as the latents that its pipeline is taught on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image, Resampling
from PIL.ImageOps import fit
from torch import Tensor

from sdmerge.fit import Examples
from sdmerge.sample.zipping import Example
from sdmerge.scoring.batch import from_image
from sdmerge.scoring.panel import open_picture


@torch.no_grad()
def encoded(pipeline: Any, shown: Examples) -> list[Example]:
    """The references as latents, each with its caption, or else with the prompts in turn.

    A picture is cut around its middle to the square that the pipeline draws, and the encoder's mean
    is taken.
    """
    side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    return [
        Example(latent_of(pipeline, open_picture(one.path), side), prompt)
        for one, prompt in zip(shown.references, _prompts(shown), strict=True)
    ]


def latent_of(pipeline: Any, picture: Image, side: int) -> Tensor:
    """The latent [1, c, h, w] of a picture, scaled as the UNet knows it."""
    square = fit(picture, (side, side), Resampling.LANCZOS)
    pixels = from_image(square)[None].to(pipeline.vae.device) / 127.5 - 1
    vae = pipeline.vae
    mean = vae.encode(pixels.to(vae.dtype)).latent_dist.mode()
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    return ((mean - shift) * vae.config.scaling_factor).to(pipeline.unet.dtype)


def _prompts(shown: Examples) -> Sequence[str]:
    turns = itertools.cycle(shown.prompts)
    return [one.caption or next(turns) for one in shown.references]
