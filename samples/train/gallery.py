"""One small picture per model for the README, and the demo's prompts."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from samples.train.contact_sheet import contact_sheet
from samples.train.draw import WOODBLOCK
from samples.train.measure import (
    ENGLISH,
    FEW,
    JAPANESE,
    PREFIXED,
    USUAL,
    Prompts,
    Sampler,
    generate,
)
from samples.train.paths import PICTURES, PROMPTS
from samples.train.rows import BASE, FAST_SUM, SOFTER_SUM, SOLO, SUM, Model
from samples.train.table import build
from samples.train.world import HELD_OUT, SHAPES, Picture, Triple

FIRST = PROMPTS / "first.txt"
FIRST_PREFIXED = PROMPTS / "first-ukiyoe.txt"
FIRST_SEED = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a sheet: one model, asked in one way."""

    model: Model
    prompts: Prompts
    sampler: Sampler = USUAL
    subject: str = ""


def lora(name: str) -> Model:
    """The base with a LoRA."""
    return Model(name, loras=(name,))


PAGES: dict[str, tuple[Line, ...]] = {
    "base": (Line(BASE, ENGLISH),),
    "japanese": (Line(SOLO["japanese"], JAPANESE), Line(SOLO["japanese"], PREFIXED)),
    "ukiyoe": (Line(SOLO["ukiyoe"], ENGLISH), Line(SOLO["ukiyoe"], JAPANESE)),
    "distilled": (Line(BASE, ENGLISH, FEW), Line(SOLO["distilled"], ENGLISH, FEW)),
    "distractor": (Line(SOLO["distractor"], ENGLISH),),
    "merged": (Line(SUM, JAPANESE), Line(SUM, PREFIXED)),
    "merged-few": (Line(SOFTER_SUM, JAPANESE, FEW), Line(FAST_SUM, JAPANESE, FEW)),
    "torii": (Line(BASE, ENGLISH, subject="torii"), Line(lora("torii"), ENGLISH, subject="torii")),
    "pop": tuple(Line(lora(name), ENGLISH) for name in ("pop", "pop_dora", "pop_locon")),
}


def demo_pictures() -> list[Picture]:
    """One held-out picture per shape: a new colour where there is one, far from its ground."""
    chosen: list[Picture] = []
    for shape in SHAPES:
        used = {picture.foreground for picture in chosen}
        triples = [triple for triple in HELD_OUT if triple[0] == shape]
        chosen.append(Picture(*min(triples, key=lambda t: (t[1] in used, -_contrast(t), t))))
    return chosen


def _contrast(triple: Triple) -> int:
    one, other = (WOODBLOCK[colour] for colour in triple[1:])
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def write_first_prompts() -> None:
    """The demo's prompts: plain Japanese, and the same with the style's prefix."""
    FIRST.parent.mkdir(parents=True, exist_ok=True)
    for path, prompts in ((FIRST, JAPANESE), (FIRST_PREFIXED, PREFIXED)):
        lines = [prompts(picture) for picture in demo_pictures()]
        path.write_text("\n".join(lines) + "\n", "utf-8")


def write_gallery() -> None:
    """A sheet per model: the demo's pictures, a row per way to ask."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    write_first_prompts()
    for name, lines in PAGES.items():
        drawn = torch.cat([_draw(line) for line in lines])
        sheet = contact_sheet(drawn, len(SHAPES), scale=2)
        sheet.save(PICTURES / f"{name}.png", optimize=True)


def _draw(line: Line) -> Tensor:
    shown = [replace(p, shape=line.subject or p.shape) for p in demo_pictures()]
    prompts = [line.prompts(picture) for picture in shown]
    return generate(build(line.model), prompts, line.sampler, first_seed=FIRST_SEED)
