"""One small picture per model for the README, and the demo's prompts."""

import torch

from samples.train.contact_sheet import contact_sheet
from samples.train.draw import WOODBLOCK
from samples.train.measure import ENGLISH, JAPANESE, PREFIXED, Prompts, generate
from samples.train.paths import PICTURES, SAMPLES
from samples.train.table import RECIPES, mix
from samples.train.world import HELD_OUT, SHAPES, Picture, Triple

FIRST = SAMPLES / "prompts" / "first.txt"
FIRST_PREFIXED = SAMPLES / "prompts" / "first-ukiyoe.txt"
FIRST_SEED = 100
MERGE = "base + 1.0 Δjapanese + 1.0 Δukiyoe"
PAGES: dict[str, tuple[str, tuple[Prompts, ...]]] = {
    "base": ("base", (ENGLISH,)),
    "japanese": ("japanese", (JAPANESE, PREFIXED)),
    "ukiyoe": ("ukiyoe", (ENGLISH, JAPANESE)),
    "merged": (MERGE, (JAPANESE, PREFIXED)),
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


def write_prompts() -> None:
    """The demo's prompts: plain Japanese, and the same with the style's prefix."""
    FIRST.parent.mkdir(exist_ok=True)
    for path, prompts in ((FIRST, JAPANESE), (FIRST_PREFIXED, PREFIXED)):
        lines = [prompts(picture) for picture in demo_pictures()]
        path.write_text("\n".join(lines) + "\n", "utf-8")


def write_gallery() -> None:
    """A sheet per model: the demo's pictures, a row per way to ask."""
    PICTURES.mkdir(exist_ok=True)
    write_prompts()
    shown = demo_pictures()
    for name, (recipe, kinds) in PAGES.items():
        pipeline = mix(*RECIPES[recipe])
        rows = [
            generate(pipeline, [prompts(picture) for picture in shown], first_seed=FIRST_SEED)
            for prompts in kinds
        ]
        sheet = contact_sheet(torch.cat(rows), len(shown), scale=2)
        sheet.save(PICTURES / f"{name}.png", optimize=True)
