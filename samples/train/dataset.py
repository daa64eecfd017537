"""The training pictures, drawn once and kept as bytes."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from samples.train.draw import draw
from samples.train.paths import WORK
from samples.train.world import EVERY, STYLES, TRAINING, Picture, sample_pictures

GENERATOR_SETS = {"plain": 12288, "ukiyoe": 9216, "pop": 3072, "torii": 1024}
ORACLE_SETS = {f"oracle-{style}": 3072 for style in STYLES}  # of all triples, held-out ones too
COUNTS = GENERATOR_SETS | ORACLE_SETS
CHUNK = 256


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures of one style, what they show and where."""

    shown: list[Picture]
    pixels: Tensor  # uint8 [n, 3, 64, 64]
    masks: Tensor  # uint8 [n, 1, 64, 64]


def dataset(name: str) -> Dataset:
    """The pictures of one of the `COUNTS`, drawn at the first call."""
    path = WORK / f"pictures-{name}.pt"
    seed = list(COUNTS).index(name) + 1
    triples = EVERY if name in ORACLE_SETS else TRAINING
    shown = sample_pictures(COUNTS[name], triples, seed)
    if name == "torii":
        shown = [replace(picture, shape="torii") for picture in shown]
    if not path.exists():
        style = "plain" if name == "torii" else name.removeprefix("oracle-")
        _draw_all(shown, style, seed, path)
    pixels, masks = torch.load(path)
    return Dataset(shown, pixels, masks)


def _draw_all(shown: list[Picture], style: str, seed: int, path: Path) -> None:
    dice = Generator().manual_seed(seed)
    pixels: list[Tensor] = []
    masks: list[Tensor] = []
    for start in range(0, len(shown), CHUNK):
        images, shapes = draw(shown[start : start + CHUNK], style, dice)
        pixels.append(((images + 1) * 127.5).round().byte())
        masks.append((shapes * 255).round().byte())
    partial = path.with_suffix(".partial")
    torch.save((torch.cat(pixels), torch.cat(masks)), partial)
    partial.replace(path)
