"""Trains the oracle on freshly drawn pictures of all triples and all styles."""

import json

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor
from torch.nn import functional

from samples.oracle import Oracle
from samples.train.dataset import ORACLE_SETS, dataset
from samples.train.draw import blurred
from samples.train.loop import Schedule, Task
from samples.train.paths import SCORERS
from samples.train.world import COLOURS, STYLES, SUBJECTS

FOLDER = SCORERS / "oracle"
WIDTH = 16
ANSWERS = {
    "shape": list(SUBJECTS),
    "foreground": list(COLOURS),
    "background": list(COLOURS),
    "style": list(STYLES),
}


def oracle_task() -> Task:
    """Train the four heads together."""
    oracle = Oracle(ANSWERS, WIDTH)
    images, targets = _pool()
    schedule = Schedule(1500, batch=96, averaging=0.99)

    def loss(dice: Generator, share: slice) -> Tensor:
        rows = torch.randint(len(images), (schedule.batch,), generator=dice)
        seen = _spoil(images[rows].float() / 127.5 - 1, dice)[share]
        with torch.autocast("cpu", torch.bfloat16):
            scores = {name: score.float() for name, score in oracle(seen).items()}
        wrong = [functional.cross_entropy(scores[n], t[rows[share]]) for n, t in targets.items()]
        return torch.stack(wrong).sum()

    def save() -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        config = json.dumps({"answers": ANSWERS, "width": WIDTH}, indent=2)
        (FOLDER / "config.json").write_text(config + "\n", "utf-8")
        weights = {name: value.half() for name, value in oracle.state_dict().items()}
        save_file(weights, FOLDER / "model.safetensors", {"format": "pt"})

    groups = [{"params": list(oracle.parameters()), "rate": 2e-3}]
    return Task("oracle", 3, schedule, groups, loss, save)


def _pool() -> tuple[Tensor, dict[str, Tensor]]:
    """Every picture of the oracle's sets as bytes, and its answers as numbers."""
    sets = {name: dataset(name) for name in ORACLE_SETS}
    shown = [picture for part in sets.values() for picture in part.shown]
    words = {
        "shape": [picture.shape for picture in shown],
        "foreground": [picture.foreground for picture in shown],
        "background": [picture.background for picture in shown],
        "style": [ORACLE_SETS[name].style for name, part in sets.items() for _ in part.shown],
    }
    targets = {n: torch.tensor([ANSWERS[n].index(word) for word in w]) for n, w in words.items()}
    return torch.cat([part.pixels for part in sets.values()]), targets


def _spoil(images: Tensor, dice: Generator) -> Tensor:
    """Half of the pictures a little blurred, all a little noisy: generated ones are softer."""
    soft = blurred(images)
    blur = torch.rand(len(images), 1, 1, 1, generator=dice)
    images = torch.where(blur < 0.5, images + (soft - images) * 2 * blur, images)
    return images + 0.04 * torch.randn(images.shape, generator=dice)
