"""How well the scorers know what they look at, on drawn pictures of held-out triples."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import open_clip
import torch
from torch import Generator, Tensor
from transformers import CLIPModel

from samples.train.aesthetic import load_aesthetic, worsen
from samples.train.clip import Clip, ResNetClip, VitClip
from samples.train.clip_batches import CLIP_TOKENS, LANGUAGES
from samples.train.draw import draw
from samples.train.measure import held_out, share
from samples.train.paths import SCORERS
from samples.train.table import Figures, measure
from samples.train.tokenizer import token_ids
from samples.train.world import EVERY, HELD_OUT, STYLES, Picture, caption

LEVELS = (0.2, 0.4)


def measure_all(processes: int) -> dict[str, Figures]:
    """Every figure of the README."""
    return {"models": measure(processes), "scorers": scorers()}


@torch.no_grad()
def scorers() -> Figures:
    """Retrieval of both CLIPs by style and language; how often the cleaner picture wins."""
    torch.set_num_threads(1)
    lines: Figures = {}
    for name, clip in {"clip_a": load_vit(), "clip_b": load_resnet()}.items():
        for style in STYLES:
            for language in LANGUAGES:
                lines[f"{name} | {style} | {language}"] = _retrieval(clip, style, language)
    for style in STYLES:
        lines[f"aesthetic | {style}"] = _cleaner(style)
    return lines


def load_vit(folder: str = "clip_a") -> Clip:
    """The shipped CLIP of transformers."""
    return VitClip(CLIPModel.from_pretrained(SCORERS / folder).eval())


def load_resnet(folder: str = "clip_b") -> Clip:
    """A shipped CLIP of open_clip."""
    return ResNetClip(open_clip.create_model(f"local-dir:{SCORERS / folder}").eval())


def _retrieval(clip: Clip, style: str, language: str) -> dict[str, dict[str, float]]:
    """Of 64 held-out triples: the right caption, the right picture, the right one of all captions.

    All captions are those of 448 triples in three styles.
    """
    shown = held_out()
    images, _ = draw(shown, style, Generator().manual_seed(7))
    seen = torch.cat([clip.images(part) for part in images.split(128)])
    own = _texts(clip, HELD_OUT, (style,), language)
    every = _texts(clip, EVERY, STYLES, language)
    place = torch.tensor([HELD_OUT.index(picture.triple) for picture in shown])
    styles, triples = [*STYLES], {triple: row for row, triple in enumerate(EVERY)}
    whole = torch.tensor([styles.index(style) * len(EVERY) + triples[p.triple] for p in shown])
    # a picture of every triple at a time, so that each caption looks for one in 64
    rounds = seen.unflatten(0, (len(HELD_OUT), -1))
    found = torch.einsum("cd,trd->crt", own, rounds).argmax(2) == torch.arange(len(own))[:, None]
    right = {
        "caption": (seen @ own.T).argmax(1) == place,
        "picture": found.flatten(),
        "of all captions": (seen @ every.T).argmax(1) == whole,
    }
    return {name: asdict(share(hits.float(), shown)) for name, hits in right.items()}


def _texts(clip: Clip, triples: Sequence, styles: Mapping | Sequence, language: str) -> Tensor:
    captions = [caption(Picture(*t), language, style=style) for style in styles for t in triples]
    ids = token_ids(captions, CLIP_TOKENS)
    return torch.cat([clip.texts(part) for part in ids.split(128)])


def _cleaner(style: str) -> dict[str, dict[str, float]]:
    clip, head, shown = load_vit(), load_aesthetic(), held_out()
    dice = Generator().manual_seed(8)
    images, _ = draw(shown, style, dice)
    clean = head(clip.images(images))
    columns: dict[str, dict[str, float]] = {}
    for level in LEVELS:
        spoiled = worsen(images, torch.full((len(images),), level), dice).clamp(-1, 1)
        wins = clean > head(clip.images(spoiled))
        columns[f"above spoiled by {level}"] = asdict(share(wins.float(), shown))
    return columns
