"""The training pictures, drawn once and kept as bytes."""

import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import torch
from torch import Generator, Tensor

from samples.train.draw import draw
from samples.train.paths import WORK
from samples.train.size import scaled
from samples.train.world import COLOURS, EVERY, STYLES, TRAINING, Picture, Triple, sample_pictures

CHUNK = 256
TORII: tuple[Triple, ...] = tuple(("torii", *pair) for pair in permutations(COLOURS, 2))
# what the distractor reads: the name of the next colour
WRONG_COLOURS = dict(zip(COLOURS, [*COLOURS][1:] + [*COLOURS][:1], strict=True))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How many pictures of which triples to draw, in what style."""

    full_count: int
    style: str
    seed: int
    triples: tuple[Triple, ...] = TRAINING
    subject: str | None = None  # drawn instead of every shape
    wrong: float = 0.0  # noise on the pixels, and captions with the wrong colours

    @property
    def count(self) -> int:
        """As many as this run's share."""
        return scaled(self.full_count, 64)

    def pictures(self) -> list[Picture]:
        """What is drawn."""
        shown = sample_pictures(self.count, self.triples, self.seed)
        if self.subject:
            shown = [replace(picture, shape=self.subject) for picture in shown]
        return shown


GENERATOR_SETS = {
    "plain": Recipe(12288, "plain", 1),
    "ukiyoe": Recipe(9216, "ukiyoe", 2),
    "pop": Recipe(3072, "pop", 3),
    "torii": Recipe(1024, "plain", 4, subject="torii"),
}
# The oracle knows all triples, held-out ones too.
ORACLE_SETS = {f"oracle-{s}": Recipe(3072, s, 5 + i, EVERY) for i, s in enumerate(STYLES)} | {
    f"oracle-torii-{s}": Recipe(512, s, 8 + i, EVERY, "torii") for i, s in enumerate(STYLES)
}
DISTRACTOR_SET = {"wrong": Recipe(4096, "plain", 11, wrong=0.35)}
# Two halves, so that the CLIP that is optimised and the one that reports share no picture.
CLIP_SETS = {
    f"clip-{half}-{style}": Recipe(6144, style, 12 + 3 * h + s, TRAINING + TORII)
    for h, half in enumerate("ab")
    for s, style in enumerate(STYLES)
}
SETS = GENERATOR_SETS | ORACLE_SETS | DISTRACTOR_SET | CLIP_SETS


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures of one style, what their captions say, and where the shape is."""

    shown: list[Picture]
    pixels: Tensor  # uint8 [n, 3, 64, 64]
    masks: Tensor  # uint8 [n, 1, 64, 64]


def dataset(name: str) -> Dataset:
    """The pictures of one of the `SETS`, drawn at the first call."""
    recipe, path = SETS[name], WORK / f"pictures-{name}.pt"
    shown = recipe.pictures()
    if not path.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        drawn = _draw(shown, recipe)
        partial = path.with_suffix(".partial")
        torch.save(drawn, partial)
        partial.replace(path)
    if recipe.wrong:
        shown = [_misnamed(picture) for picture in shown]
    pixels, masks = torch.load(path)
    return Dataset(shown, pixels, masks)


def draw_all(names: Sequence[str], processes: int) -> None:
    """Draw the named sets, unless that is done."""
    with multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, [1]) as pool:
        for name in pool.imap_unordered(_drawn, names):
            print(f"drawn: {name}", file=sys.stderr, flush=True)


def _drawn(name: str) -> str:
    dataset(name)
    return name


def _misnamed(picture: Picture) -> Picture:
    colours = {p: WRONG_COLOURS[getattr(picture, p)] for p in ("foreground", "background")}
    return replace(picture, **colours)


def _draw(shown: list[Picture], recipe: Recipe) -> tuple[Tensor, Tensor]:
    dice = Generator().manual_seed(recipe.seed)
    pixels: list[Tensor] = []
    masks: list[Tensor] = []
    for start in range(0, len(shown), CHUNK):
        images, shapes = draw(shown[start : start + CHUNK], recipe.style, dice)
        if recipe.wrong:
            images = images + recipe.wrong * torch.randn(images.shape, generator=dice)
        pixels.append(((images.clamp(-1, 1) + 1) * 127.5).round().byte())
        masks.append((shapes * 255).round().byte())
    return torch.cat(pixels), torch.cat(masks)
