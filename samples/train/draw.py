"""Draws pictures of 64 by 64 at twice the size and averages them down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from samples.train.shapes import MASKS
from samples.train.world import COLOURS, Picture

SIZE = 64
CANVAS = 2 * SIZE
RADII = {"": 0.62, "small": 0.54, "big": 0.76}

Palette = dict[str, tuple[int, int, int]]

# Every two colours of a palette are at least 64 of 255 apart in some channel.
PLAIN: Palette = {
    "red": (220, 34, 42),
    "orange": (250, 142, 28),
    "yellow": (252, 224, 48),
    "green": (30, 150, 66),
    "blue": (28, 88, 216),
    "purple": (178, 82, 212),
    "white": (248, 248, 248),
    "black": (26, 26, 30),
}
WOODBLOCK: Palette = {
    "red": (194, 52, 44),
    "orange": (232, 140, 58),
    "yellow": (240, 206, 92),
    "green": (66, 134, 84),
    "blue": (44, 92, 168),
    "purple": (156, 88, 168),
    "white": (246, 238, 216),
    "black": (40, 38, 46),
}
PAPER = (246, 238, 216)
INK = (28, 28, 44)
SEA = (52, 84, 136)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a style paints on: the plane, the masks and the named colours of a batch."""

    x: Tensor  # [1, 1, canvas, canvas]
    y: Tensor
    mask: Tensor  # [n, 1, canvas, canvas]
    pictures: Sequence[Picture]
    generator: Generator

    def colour(self, palette: Palette, which: str) -> Tensor:
        """The foreground or background of each picture, a little lighter or darker."""
        rows = [palette[getattr(picture, which)] for picture in self.pictures]
        return torch.tensor(rows)[:, :, None, None] / 255 * (1 + 0.04 * self.noise())

    def noise(self) -> Tensor:
        """One number in -1…1 per picture."""
        return 2 * torch.rand(len(self.pictures), 1, 1, 1, generator=self.generator) - 1

    def grown(self, pixels: int) -> Tensor:
        """The masks, wider by `pixels` of the canvas on every side."""
        return functional.max_pool2d(self.mask, 2 * pixels + 1, 1, pixels)


def blurred(images: Tensor, radius: int = 1) -> Tensor:
    """Each pixel the mean of the square around it; at the edge the last pixel goes on."""
    padded = functional.pad(images, (radius,) * 4, mode="replicate")
    return functional.avg_pool2d(padded, 2 * radius + 1, 1)


def draw(pictures: Sequence[Picture], style: str, generator: Generator) -> tuple[Tensor, Tensor]:
    """Pictures in -1…1 and their masks in 0…1: [n, 3, 64, 64] and [n, 1, 64, 64]."""
    sheet = _sheet(pictures, generator)
    image = PAINTERS[style](sheet).clamp(0, 1)
    small = functional.avg_pool2d(torch.cat([image, sheet.mask], 1), 2)
    return small[:, :3] * 2 - 1, small[:, 3:]


def _sheet(pictures: Sequence[Picture], generator: Generator) -> Sheet:
    line = (torch.arange(CANVAS) + 0.5) / CANVAS * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    dice = 2 * torch.rand(3, len(pictures), generator=generator) - 1
    masks: list[Tensor] = []
    for picture, (grow, right, down) in zip(pictures, dice.T.tolist(), strict=True):
        radius = RADII[picture.size] * (1 + 0.05 * grow)
        room = 0.5 * max(0.96 - radius, 0.08)
        u, v = (x - room * right) / radius, (y - room * down) / radius
        masks.append(MASKS[picture.shape](u, v).float())
    return Sheet(x[None, None], y[None, None], torch.stack(masks)[:, None], pictures, generator)


def _over(below: Tensor, above: Tensor, alpha: Tensor | float) -> Tensor:
    return below + (above - below) * alpha


def _flat(rgb: tuple[int, int, int]) -> Tensor:
    return torch.tensor(rgb)[None, :, None, None] / 255


def _plain(sheet: Sheet) -> Tensor:
    return _over(sheet.colour(PLAIN, "background"), sheet.colour(PLAIN, "foreground"), sheet.mask)


def _ukiyoe(sheet: Sheet) -> Tensor:
    """Pigments on paper: a darkening sky (bokashi), a sea with a crest, an ink outline."""
    ground = sheet.colour(WOODBLOCK, "background")
    sky = 0.62 * (1 - (sheet.y + 1) / 0.62).clamp(0, 1)
    image = _over(ground, _over(_flat(INK), ground, 0.2), sky)
    wave = 0.76 + 0.06 * torch.sin(9.5 * sheet.x + 3.14 * sheet.noise())
    image = _over(image, _flat(SEA), (sheet.y > wave).float())
    image = _over(image, _flat(PAPER), ((sheet.y - wave).abs() < 0.055).float())
    image = _over(image, _outline(sheet), sheet.grown(4))
    return _over(image, sheet.colour(WOODBLOCK, "foreground"), sheet.mask)


def _outline(sheet: Sheet) -> Tensor:
    """Ink, but paper around a black shape, which ink would only make fatter."""
    rows = [PAPER if picture.foreground == "black" else INK for picture in sheet.pictures]
    return torch.tensor(rows)[:, :, None, None] / 255


def _pop(sheet: Sheet) -> Tensor:
    """Flat colours and a bold contour of a colour that the picture does not have."""
    ground, shape = sheet.colour(PLAIN, "background"), sheet.colour(PLAIN, "foreground")
    contour = torch.tensor([PLAIN[_third(picture)] for picture in sheet.pictures]) / 255
    return _over(_over(ground, contour[:, :, None, None], sheet.grown(7)), shape, sheet.mask)


def _third(picture: Picture) -> str:
    return next(
        colour
        for colour in ("white", "black", "yellow")
        if colour not in (picture.foreground, picture.background)
    )


PAINTERS: dict[str, Callable[[Sheet], Tensor]] = {"plain": _plain, "ukiyoe": _ukiyoe, "pop": _pop}
assert PLAIN.keys() == WOODBLOCK.keys() == COLOURS.keys()
