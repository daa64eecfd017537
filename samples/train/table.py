"""Asks the oracle about every sample model and about merges of them."""

import multiprocessing
from dataclasses import asdict, dataclass

import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from torch import Generator, Tensor, nn

from samples.oracle import load_oracle
from samples.train.draw import draw
from samples.train.measure import (
    ENGLISH,
    JAPANESE,
    PREFIXED,
    Prompts,
    Share,
    generate,
    held_out,
    judge,
)
from samples.train.paths import MODELS

Figures = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: shares of the base and of both parents' differences, and a prompt."""

    title: str
    base: float
    japanese: float
    ukiyoe: float
    prompts: Prompts
    style: str


def difference(japanese: float, ukiyoe: float) -> tuple[float, float, float]:
    """The coefficients of base + japanese · (Japanese - base) + ukiyoe · (ukiyo-e - base)."""
    return 1 - japanese - ukiyoe, japanese, ukiyoe


RECIPES = {
    "base": (1.0, 0.0, 0.0),
    "japanese": (0.0, 1.0, 0.0),
    "ukiyoe": (0.0, 0.0, 1.0),
    "½ japanese + ½ ukiyoe": (0.0, 0.5, 0.5),
    "base + 1.0 Δjapanese + 1.0 Δukiyoe": difference(1.0, 1.0),
    "base + 1.0 Δjapanese + 0.8 Δukiyoe": difference(1.0, 0.8),
}
HOME = {"base": (ENGLISH, "plain"), "ukiyoe": (ENGLISH, "ukiyoe"), "japanese": (JAPANESE, "plain")}
ROWS = [
    *(Row(name, *RECIPES[name], prompts, style) for name, (prompts, style) in HOME.items()),
    Row("japanese", *RECIPES["japanese"], PREFIXED, "plain"),
    *(
        Row(name, *recipe, prompts, "ukiyoe")
        for name, recipe in RECIPES.items()
        for prompts in (JAPANESE, PREFIXED)
    ),
]


def measure(processes: int) -> Figures:
    """All figures, by table and line."""
    with multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, [1]) as pool:
        real = pool.map(_real, ["plain", "ukiyoe"], chunksize=1)
        generated = pool.map(_generated, range(len(ROWS)), chunksize=1)
    lines = {title: line for part in real for title, line in part.items()}
    for row, line in zip(ROWS, generated, strict=True):
        lines[f"{row.title} | {row.prompts.title} | {row.style}"] = line
    return {title: {k: asdict(v) for k, v in line.items()} for title, line in lines.items()}


def load(name: str) -> StableDiffusionPipeline:
    """A shipped checkpoint in single precision."""
    return DiffusionPipeline.from_pretrained(MODELS / name, dtype=torch.float32)


def mix(base: float, japanese: float, ukiyoe: float) -> StableDiffusionPipeline:
    """The weighted sum of U-Nets and text encoders, with the autoencoder all three share."""
    models = [load(name) for name in ("base", "japanese", "ukiyoe")]
    weights = (base, japanese, ukiyoe)
    for part in ("unet", "text_encoder"):
        states = [getattr(model, part).state_dict() for model in models]
        mixed = {key: _sum(weights, [state[key] for state in states]) for key in states[0]}
        module: nn.Module = getattr(models[0], part)
        module.load_state_dict(mixed)
    return models[0]


def _sum(weights: tuple[float, ...], tensors: list[Tensor]) -> Tensor:
    if not tensors[0].is_floating_point():
        return tensors[0]
    return torch.stack([w * t for w, t in zip(weights, tensors, strict=True)]).sum(0)


@torch.no_grad()
def _real(style: str) -> dict[str, dict[str, Share]]:
    """Drawn pictures of held-out triples, and the same after the autoencoder."""
    shown, oracle, vae = held_out(), load_oracle(), load("base").vae
    images, _ = draw(shown, style, Generator().manual_seed(99))
    again = [vae.decode(vae.encode(part).latent_dist.mean).sample for part in images.split(32)]
    return {
        f"drawn | {style}": judge(oracle, images, shown, style),
        f"through the autoencoder | {style}": judge(oracle, torch.cat(again), shown, style),
    }


def _generated(index: int) -> dict[str, Share]:
    row, shown = ROWS[index], held_out()
    images = generate(mix(row.base, row.japanese, row.ukiyoe), [row.prompts(p) for p in shown])
    return judge(load_oracle(), images, shown, row.style)
