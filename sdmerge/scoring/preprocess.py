"""Preprocessing: from pictures to what a model's first layer sees, in one place.

Pictures are resized by PIL, on 8-bit levels and on the CPU, which is what the published models were
measured with: equal bit for bit to open_clip's transform and to transformers' PIL processors, and
within 2/255 of transformers' torchvision processors, whose resizing rounds otherwise. The device
that scores has no part in it. Processors that resize after rescaling (DINOv3's) are met in floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from PIL.Image import Resampling
from torch import Tensor
from torch.nn import functional

from sdmerge.errors import FileError
from sdmerge.scoring.batch import from_image, to_image

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

Fit = Literal["shortest", "longest", "squash"]
"""Which side gets the size: the shortest (then the centre is cut out), the longest (then black is
added around), or both."""
Resample = Literal["bicubic", "bilinear"]

_PIL = {"bicubic": Resampling.BICUBIC, "bilinear": Resampling.BILINEAR}
_BY_NUMBER: Mapping[int, Resample] = {2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True, slots=True)
class Transform:
    """How a model wants its pictures; sizes are (height, width) in pixels."""

    resize: tuple[int, int]
    crop: tuple[int, int] | None
    fit: Fit = "shortest"
    resample: Resample = "bicubic"
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    to_even: bool = False
    """Half a pixel of a crop is rounded to even, as torchvision does; else down."""
    in_floats: bool = False
    """Resized after rescaling, in floats."""

    def __call__(self, pictures: Tensor | Sequence[Tensor]) -> Tensor:
        """The model's input, float32 [n, 3, h, w], of pictures uint8 [3, h, w] of any sizes."""
        made = torch.stack([self._one(picture) for picture in pictures])
        mean, std = (torch.tensor(row).view(1, 3, 1, 1) for row in (self.mean, self.std))
        return (made - mean) / std

    def _one(self, levels: Tensor) -> Tensor:
        size = self._size(levels.shape[1], levels.shape[2])
        if self.in_floats:
            small = functional.interpolate(
                levels[None].float() / 255, size, mode=self.resample, antialias=True
            )[0]
        else:
            small = _resized(levels, size, _PIL[self.resample]).float() / 255
        return small if self.crop is None else self._cropped(small, self.crop)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """The size that pictures of this size are brought to."""
        if self.fit == "squash":
            return self.resize
        side = self.resize[0]
        if self.fit == "longest":
            ratio = max(height, width) / side
            return round(height / ratio), round(width / ratio)
        short, long = sorted((height, width))
        other = int(side * long / short)
        return (side, other) if height <= width else (other, side)

    def _cropped(self, picture: Tensor, crop: tuple[int, int]) -> Tensor:
        lacking = [max(0, want - have) for want, have in zip(crop, picture.shape[1:], strict=True)]
        down, right = lacking
        if down or right:
            around = (right // 2, right - right // 2, down // 2, down - down // 2)
            picture = functional.pad(picture, around)
        spare = [have - want for want, have in zip(crop, picture.shape[1:], strict=True)]
        top, left = (round(half / 2) if self.to_even else half // 2 for half in spare)
        return picture[:, top : top + crop[0], left : left + crop[1]]


def _resized(levels: Tensor, size: tuple[int, int], resample: Resampling) -> Tensor:
    if tuple(levels.shape[1:]) == size:
        return levels
    return from_image(to_image(levels).resize((size[1], size[0]), resample))


def from_open_clip(config: Mapping[str, Any], size: int | Sequence[int]) -> Transform:
    """The transform that open_clip makes of `preprocess_cfg` for pictures of `size`."""
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    fit = config.get("resize_mode") or "shortest"
    resample = config.get("interpolation") or "bicubic"
    mean, std = config.get("mean") or CLIP_MEAN, config.get("std") or CLIP_STD
    if fit not in ("shortest", "longest", "squash") or (fit != "squash" and height != width):
        raise FileError(f"open_clip's resize_mode '{fit}' for {height} × {width} is not supported")
    return Transform(
        (height, width),
        (height, width),
        fit,
        "bilinear" if resample == "bilinear" else "bicubic",
        tuple(mean),
        tuple(std),
        to_even=fit == "shortest",
    )


def from_processor(config: Mapping[str, Any]) -> Transform:
    """The transform that a `preprocessor_config.json` of transformers means."""
    kind = str(config.get("image_processor_type", "")).removesuffix("Fast")
    resample = _BY_NUMBER.get(config.get("resample", 3))
    if kind not in _PROCESSORS or resample is None:
        what = f"the image processor '{kind}' with resample {config.get('resample')} is unknown"
        raise FileError(what, hint=f"Known: {', '.join(_PROCESSORS)}; bilinear and bicubic.")
    if abs(float(config.get("rescale_factor", 1 / 255)) - 1 / 255) > 1e-9:
        raise FileError(f"pictures scaled by {config['rescale_factor']} are not supported")
    side = config.get("size", 224)
    fit: Fit = "shortest"
    if isinstance(side, int):
        resize = (side, side)
        fit = "squash" if kind in _SQUARE else "shortest"
    elif "shortest_edge" in side:
        resize = (int(side["shortest_edge"]), int(side["shortest_edge"]))
    else:
        resize, fit = (int(side["height"]), int(side["width"])), "squash"
    crop = _crop(config) if config.get("do_center_crop", kind not in _SQUARE) else None
    if crop is not None and (crop[0] > resize[0] or crop[1] > resize[1]):
        raise FileError(f"a crop to {crop} of pictures resized to {resize} is not supported")
    return Transform(
        resize,
        crop,
        fit,
        resample,
        tuple(config.get("image_mean", CLIP_MEAN)),
        tuple(config.get("image_std", CLIP_STD)),
        in_floats=kind == "DINOv3ViTImageProcessor",
    )


_SQUARE = ("SiglipImageProcessor", "DINOv3ViTImageProcessor", "BlipImageProcessor")
_PROCESSORS = (
    "CLIPImageProcessor", "CLIPFeatureExtractor", "ChineseCLIPImageProcessor",
    "BitImageProcessor", *_SQUARE,
)  # fmt: skip


def _crop(config: Mapping[str, Any]) -> tuple[int, int]:
    size = config.get("crop_size", 224)
    return (size, size) if isinstance(size, int) else (int(size["height"]), int(size["width"]))
