"""Preprocessing against each library's own: open_clip's transform, transformers' processors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize
from torchvision.transforms import functional as torchvision
from transformers import (
    BitImageProcessor,
    CLIPImageProcessor,
    DINOv3ViTImageProcessor,
    SiglipImageProcessor,
)
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from sdmerge.errors import FileError
from sdmerge.scoring.preprocess import (
    CLIP_MEAN,
    CLIP_STD,
    Transform,
    from_open_clip,
    from_processor,
)

SIZES = [(64, 64), (97, 131), (131, 98), (224, 224), (300, 417), (512, 333), (20, 225)]
"""Larger and smaller than what models want, upright and lying, with odd remainders."""
ROUNDED = 1e-6
"""Equal but for the order of float32 operations after the last rounding to 8 bits."""
SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "scorers"


def picture(height: int, width: int) -> Tensor:
    """A picture with edges, ramps and noise: uint8 [3, h, w]."""
    dice = np.random.default_rng(height * width)
    rows, columns = np.mgrid[0:height, 0:width]
    ramps = np.stack(
        [rows * 255 / height, columns * 255 / width, (rows // 9 + columns // 7) % 2 * 255]
    )
    noisy = np.clip(ramps + dice.normal(scale=25, size=ramps.shape), 0, 255)
    return torch.from_numpy(noisy.astype(np.uint8))


def pil(levels: Tensor) -> Image.Image:
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def gap(ours: Tensor, theirs: Any) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_open_clip(mode: str, interpolation: str) -> None:
    """Bit for bit: both resize with PIL."""
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    config = PreprocessCfg(size=96, mean=mean, std=std, interpolation=interpolation,
                           resize_mode=mode)  # fmt: skip
    theirs = image_transform_v2(config, is_train=False)
    ours = from_open_clip(vars(config), 96)
    for size in SIZES:
        levels = picture(*size)
        assert gap(ours([levels])[0], theirs(pil(levels))) < ROUNDED


def test_open_clip_as_a_folder_is_loaded() -> None:
    _, _, theirs = open_clip.create_model_and_transforms(f"local-dir:{SAMPLES / 'clip_b'}")
    config = json.loads((SAMPLES / "clip_b" / "open_clip_config.json").read_text("utf-8"))
    ours = from_open_clip(config["preprocess_cfg"], 64)
    assert gap(ours([picture(131, 98)])[0], theirs(pil(picture(131, 98)))) < ROUNDED


SETTINGS: dict[str, dict[str, Any]] = {
    "openai/clip-vit-base-patch32": {
        "size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224},
    },
    "facebook/dinov2-base": {
        "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224},
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    },
    "google/siglip2-base-patch16-224": {
        "size": {"height": 224, "width": 224}, "resample": 2, "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    },
    "odd": {"size": {"shortest_edge": 75}, "crop_size": {"height": 64, "width": 64}, "resample": 2},
}  # fmt: skip
KINDS = {
    "openai/clip-vit-base-patch32": (CLIPImageProcessor, CLIPImageProcessorPil),
    "facebook/dinov2-base": (BitImageProcessor, BitImageProcessorPil),
    "google/siglip2-base-patch16-224": (SiglipImageProcessor, SiglipImageProcessorPil),
    "odd": (CLIPImageProcessor, CLIPImageProcessorPil),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_transformers(name: str, tmp_path: Path) -> None:
    """Equal to its PIL processor, and to its torchvision one within 2/255 before normalising."""
    torchvision_kind, pil_kind = KINDS[name]
    fast, slow = torchvision_kind(**SETTINGS[name]), pil_kind(**SETTINGS[name])
    fast.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "preprocessor_config.json").read_text("utf-8"))
    ours = from_processor(config)
    std = torch.tensor(ours.std).view(1, 3, 1, 1)
    for size in SIZES:
        levels = picture(*size)
        made = ours([levels])
        assert gap(made, slow(pil(levels), return_tensors="pt")["pixel_values"]) < 1e-5
        off = (made - fast(pil(levels), return_tensors="pt")["pixel_values"]) * std
        assert float(off.abs().max()) <= 2 / 255 + 1e-5
        assert float(off.abs().mean()) < 0.25 / 255


def test_dinov3_resizes_in_floats(tmp_path: Path) -> None:
    theirs = DINOv3ViTImageProcessor()
    theirs.save_pretrained(tmp_path)
    ours = from_processor(json.loads((tmp_path / "preprocessor_config.json").read_text("utf-8")))
    assert ours.in_floats
    for size in SIZES:
        levels = picture(*size)
        assert gap(ours([levels]), theirs(pil(levels), return_tensors="pt")["pixel_values"]) < 1e-5


def test_image_reward_is_torchvisions() -> None:
    """As ImageReward.py composes it: Resize(224, bicubic), CenterCrop(224), CLIP's mean and std."""
    theirs = Compose([Resize(224, InterpolationMode.BICUBIC), CenterCrop(224)])
    ours, normal = Transform((224, 224), (224, 224), to_even=True), Normalize(CLIP_MEAN, CLIP_STD)
    for size in SIZES:
        wanted = normal(torchvision.to_tensor(theirs(pil(picture(*size)))))
        assert gap(ours([picture(*size)])[0], wanted) < ROUNDED


def test_hps_pads_what_it_made_small() -> None:
    """hpsv2's ResizeMaxSize: the longest side to 224, black around, then normalised."""
    ours = from_open_clip({"resize_mode": "longest"}, 224)
    for height, width in SIZES:
        scale = 224 / max(height, width)
        small = [round(side * scale) for side in (height, width)]
        image = torchvision.resize(pil(picture(height, width)), small, InterpolationMode.BICUBIC)
        down, right = 224 - small[0], 224 - small[1]
        around = [right // 2, down // 2, right - right // 2, down - down // 2]
        padded = torchvision.to_tensor(torchvision.pad(image, around, fill=0))
        wanted = Normalize(CLIP_MEAN, CLIP_STD)(padded)
        assert gap(ours([picture(height, width)])[0], wanted) < ROUNDED


def test_pictures_of_any_sizes_make_one_batch() -> None:
    ours = Transform((32, 32), (32, 32))
    assert ours([picture(*size) for size in SIZES]).shape == (len(SIZES), 3, 32, 32)


@pytest.mark.parametrize(
    "config",
    [
        {"image_processor_type": "Siglip2ImageProcessor"},
        {"image_processor_type": "CLIPImageProcessor", "resample": 0},
        {"image_processor_type": "CLIPImageProcessor", "rescale_factor": 1.0},
        {"image_processor_type": "CLIPImageProcessor", "size": 64, "crop_size": 65},
    ],
)
def test_what_is_not_known_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(FileError):
        from_processor(config)
    with pytest.raises(FileError, match="resize_mode"):
        from_open_clip({"resize_mode": "stretch"}, 64)
