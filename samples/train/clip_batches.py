"""Batches for the CLIPs: pictures that differ in their shape only, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from samples.train.dataset import dataset
from samples.train.draw import blurred
from samples.train.tokenizer import token_ids
from samples.train.world import STYLES, Language, Picture, caption

GROUPS = 16
FEWEST = 6  # shapes of a group
OTHER_ORDER = 0.25
CLIP_TOKENS = 32
LANGUAGES: Sequence[Language] = ("en", "ja")


@dataclass(frozen=True, slots=True)
class Half:
    """One CLIP's half of the pictures, its captions, and rows by what they show.

    A group is one style, two colours and one size: its pictures differ in the shape, which is what
    a CLIP learns last. Many groups make a batch, so colours and styles differ too.
    """

    pixels: Tensor  # uint8 [n, 3, 64, 64]
    words: Tensor  # [languages, orders, n, tokens]
    groups: list[list[Tensor]]  # group → shape → rows

    def batch(self, dice: Generator) -> tuple[Tensor, Tensor]:
        """Pictures in -1…1 and token ids, a row each."""
        chosen = torch.randperm(len(self.groups), generator=dice)[:GROUPS].tolist()
        rows = torch.stack(
            [
                rows[int(torch.randint(len(rows), (1,), generator=dice))]
                for group in chosen
                for rows in self.groups[group]
            ]
        )
        language = torch.randint(len(LANGUAGES), (len(rows),), generator=dice)
        order = (torch.rand(len(rows), generator=dice) < OTHER_ORDER).long()
        images = spoil(self.pixels[rows].float() / 127.5 - 1, dice)
        return images, self.words[language, order, rows]


def half(name: str) -> Half:
    """The half that the CLIP `name` (a or b) may see."""
    styles = {style: dataset(f"clip-{name}-{style}") for style in STYLES}
    shown = [(style, picture) for style, part in styles.items() for picture in part.shown]
    known: dict[tuple[str, Picture], int] = {}
    numbers = torch.tensor([known.setdefault(key, len(known)) for key in shown])
    words = torch.stack(
        [
            torch.stack([_words([*known], language, order)[numbers] for order in (0, 1)])
            for language in LANGUAGES
        ]
    )
    rows: dict[tuple[str, ...], dict[str, list[int]]] = {}
    for row, (style, picture) in enumerate(shown):
        group = rows.setdefault((style, *picture.triple[1:], picture.size), {})
        group.setdefault(picture.shape, []).append(row)
    groups = [[*map(torch.tensor, group.values())] for group in rows.values()]
    pixels = torch.cat([part.pixels for part in styles.values()])
    fewest = min(FEWEST, max(map(len, groups)))  # fewer in a trial run of few pictures
    return Half(pixels, words, [group for group in groups if len(group) >= fewest])


def _words(pictures: list[tuple[str, Picture]], language: Language, order: int) -> Tensor:
    captions = [caption(p, language, style=style, order=order) for style, p in pictures]  # type: ignore[arg-type]
    return token_ids(captions, CLIP_TOKENS)


def spoil(images: Tensor, dice: Generator) -> Tensor:
    """Moved by up to three pixels, a third blurred, all a little noisy, brighter or darker."""
    down, right, third = torch.randint(0, 7, (3,), generator=dice).tolist()
    images = torch.roll(images, (down - 3, right - 3), (2, 3))
    if third < 2:
        images = blurred(images)
    light = 0.9 + 0.2 * torch.rand(len(images), 1, 1, 1, generator=dice)
    return images * light + 0.04 * torch.randn(images.shape, generator=dice)
