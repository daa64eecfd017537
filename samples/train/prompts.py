"""Prompt files for searches, with disjoint triples, and a drawn picture of what each means."""

import json
import random
from collections.abc import Sequence

from PIL import Image
from torch import Generator

from samples.train.draw import draw
from samples.train.paths import PROMPTS, REFERENCES
from samples.train.world import HELD_OUT, SHAPES, TRAINING, Picture, Triple, caption

STYLE = "ukiyoe"
SEED = 41
SEARCH, VALIDATION = 8, 4  # triples per shape


def splits() -> dict[str, Sequence[Triple]]:
    """What a search may look at, what it is watched with, and what it is judged by at the end.

    The first two are triples that the generators have seen; the test is the held-out ones.
    """
    dice = random.Random(SEED)
    chosen: dict[str, list[Triple]] = {"search": [], "validation": []}
    for shape in SHAPES:
        own = [triple for triple in TRAINING if triple[0] == shape]
        drawn = dice.sample(own, SEARCH + VALIDATION)
        chosen["search"] += drawn[:SEARCH]
        chosen["validation"] += drawn[SEARCH:]
    return {**chosen, "test": HELD_OUT}


def write_prompts() -> None:
    """JSON lines: a Japanese prompt, the caption of the print it should become, a reference."""
    PROMPTS.mkdir(parents=True, exist_ok=True)
    for name, triples in splits().items():
        pictures = [Picture(*triple) for triple in triples]
        lines = [_line(name, row, picture) for row, picture in enumerate(pictures)]
        (PROMPTS / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        _write_references(name, pictures)


def _line(split: str, row: int, picture: Picture) -> str:
    entry = {
        "prompt": caption(picture, "ja"),
        "caption": caption(picture, "ja", style=STYLE),
        "reference": f"../references/{split}/{row:03}.png",
    }
    return json.dumps(entry, ensure_ascii=False)


def _write_references(split: str, pictures: Sequence[Picture]) -> None:
    folder = REFERENCES / split
    folder.mkdir(parents=True, exist_ok=True)
    images, _ = draw(pictures, STYLE, Generator().manual_seed(SEED + len(split)))
    for row, image in enumerate(((images + 1) * 127.5).round().byte()):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture.save(folder / f"{row:03}.png", optimize=True)
