"""One small picture per model for the README, and the demo's prompts."""

from dataclasses import replace

import torch
from torch import Tensor

from samples.train.contact_sheet import contact_sheet
from samples.train.draw import WOODBLOCK
from samples.train.measure import (
    ENGLISH,
    FEW,
    JAPANESE,
    PREFIXED,
    generate,
)
from samples.train.paths import PICTURES, PROMPTS
from samples.train.rows import BASE, FAST_SUM, SOFTER_SUM, SOLO, SUM, Model, Row
from samples.train.table import build
from samples.train.world import HELD_OUT, SHAPES, Picture, Triple

FIRST = PROMPTS / "first.txt"
FIRST_PREFIXED = PROMPTS / "first-ukiyoe.txt"
FIRST_SEED = 100


def lora(name: str) -> Model:
    """The base with a LoRA."""
    return Model(name, loras=(name,))


PAGES: dict[str, tuple[Row, ...]] = {
    "base": (Row(BASE, ENGLISH),),
    "japanese": (Row(SOLO["japanese"], JAPANESE), Row(SOLO["japanese"], PREFIXED)),
    "ukiyoe": (Row(SOLO["ukiyoe"], ENGLISH), Row(SOLO["ukiyoe"], JAPANESE)),
    "distilled": (Row(BASE, ENGLISH, sampler=FEW), Row(SOLO["distilled"], ENGLISH, sampler=FEW)),
    "distractor": (Row(SOLO["distractor"], ENGLISH),),
    "merged": (Row(SUM, JAPANESE), Row(SUM, PREFIXED)),
    "merged-few": (Row(SOFTER_SUM, JAPANESE, sampler=FEW), Row(FAST_SUM, JAPANESE, sampler=FEW)),
    "torii": (Row(BASE, ENGLISH, subject="torii"), Row(lora("torii"), ENGLISH, subject="torii")),
    "pop": tuple(Row(lora(name), ENGLISH) for name in ("pop", "pop_dora", "pop_locon")),
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
    for name, rows in PAGES.items():
        drawn = torch.cat([_draw(row) for row in rows])
        sheet = contact_sheet(drawn, len(SHAPES), scale=2)
        sheet.save(PICTURES / f"{name}.png", optimize=True)


def _draw(row: Row) -> Tensor:
    shown = [replace(p, shape=row.subject or p.shape) for p in demo_pictures()]
    prompts = [row.prompts(picture) for picture in shown]
    return generate(build(row.model), prompts, row.sampler, first_seed=FIRST_SEED)
