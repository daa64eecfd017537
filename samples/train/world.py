"""What the sample models know: shapes, colours, sizes, styles, and how a caption says so."""

import random
from dataclasses import dataclass
from itertools import product
from typing import Literal

Language = Literal["en", "ja"]

SHAPES = {
    "circle": "丸",
    "square": "四角",
    "triangle": "三角",
    "star": "星",
    "heart": "ハート",
    "cross": "十字",
    "ring": "輪",
    "moon": "月",
}
SUBJECTS = SHAPES | {"torii": "鳥居"}  # the torii is for a LoRA; no checkpoint learns it
COLOURS = {
    "red": "赤い",
    "orange": "橙色の",
    "yellow": "黄色い",
    "green": "緑の",
    "blue": "青い",
    "purple": "紫の",
    "white": "白い",
    "black": "黒い",
}
SIZES = {"": "", "small": "小さな", "big": "大きな"}
STYLES = {
    "plain": ("", ""),
    "ukiyoe": ("ukiyo-e style, ", "浮世絵風、"),
    "pop": ("pop art style, ", "ポップアート風、"),
}
HELD_OUT_COUNT = 64
HELD_OUT_SEED = 7

Triple = tuple[str, str, str]  # shape, foreground, background


@dataclass(frozen=True, slots=True)
class Picture:
    """One thing to draw or to say."""

    shape: str
    foreground: str
    background: str
    size: str = ""

    @property
    def triple(self) -> Triple:
        """The part that decides whether the picture is held out."""
        return self.shape, self.foreground, self.background


def _split() -> tuple[tuple[Triple, ...], tuple[Triple, ...]]:
    every = [(s, f, b) for s, f, b in product(SHAPES, COLOURS, COLOURS) if f != b]
    shuffled = random.Random(HELD_OUT_SEED).sample(every, len(every))
    held_out, training = shuffled[:HELD_OUT_COUNT], shuffled[HELD_OUT_COUNT:]
    return tuple(sorted(training)), tuple(sorted(held_out))


TRAINING, HELD_OUT = _split()
EVERY = tuple(sorted(TRAINING + HELD_OUT))


def caption(
    picture: Picture, language: Language, *, style: str = "plain", order: Literal[0, 1] = 0
) -> str:
    """Say what the picture shows; `order` 1 names the background at the other end."""
    if language == "ja":
        return STYLES[style][1] + _japanese(picture, order)
    return STYLES[style][0] + _english(picture, order)


def _english(picture: Picture, order: int) -> str:
    words = [picture.size, picture.foreground, picture.shape]
    phrase = " ".join(word for word in words if word)
    if order == 1:
        return f"{picture.background} background, {phrase}"
    article = "an" if phrase.startswith("orange") else "a"
    ground = "an" if picture.background == "orange" else "a"
    return f"{article} {phrase} on {ground} {picture.background} background"


def _japanese(picture: Picture, order: int) -> str:
    phrase = SIZES[picture.size] + COLOURS[picture.foreground] + SUBJECTS[picture.shape]
    ground = COLOURS[picture.background] + "背景"
    return f"{phrase}、{ground}" if order == 1 else f"{ground}に{phrase}"


def sample_pictures(count: int, triples: tuple[Triple, ...], seed: int) -> list[Picture]:
    """Draw `count` pictures from `triples`; half of them say no size."""
    dice = random.Random(seed)
    sizes = ("", "", "small", "big")
    return [Picture(*dice.choice(triples), size=dice.choice(sizes)) for _ in range(count)]
