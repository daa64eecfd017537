"""Puts pictures side by side in one image."""

import torch
from PIL import Image
from torch import Tensor


def contact_sheet(pictures: Tensor, columns: int, *, gap: int = 2, scale: int = 1) -> Image.Image:
    """An RGB image of pictures in -1…1, [n, 3, height, width], in rows of `columns`."""
    pixels = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().byte()
    count, _, height, width = pixels.shape
    rows = -(-count // columns)
    sheet = torch.full((3, rows * (height + gap) + gap, columns * (width + gap) + gap), 128)
    sheet = sheet.byte()
    for index, picture in enumerate(pixels):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        sheet[:, top : top + height, left : left + width] = picture
    image = Image.fromarray(sheet.permute(1, 2, 0).numpy())
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
