"""Asks the oracle about every sample model and about merges of them."""

import multiprocessing
import sys
from collections.abc import Mapping
from dataclasses import asdict

import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from torch import Generator, Tensor, nn

from samples.oracle import load_oracle
from samples.train.draw import draw
from samples.train.measure import Share, generate, held_out, judge
from samples.train.paths import LORAS, MODELS, SCORERS
from samples.train.rows import ROWS, Model, Row
from samples.train.single_file import Tensors

Figures = dict[str, dict[str, dict[str, float]]]
DRAWN = (("plain", ""), ("ukiyoe", ""), ("pop", ""), ("plain", "torii"))


def measure(processes: int) -> Figures:
    """All figures, by line and column."""
    with multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, [1]) as pool:
        real = pool.starmap(_real, DRAWN, chunksize=1)
        generated = pool.map(_generated, dict.fromkeys(row.drawn for row in ROWS), chunksize=1)
    lines = {title: line for part in (*real, *generated) for title, line in part.items()}
    order = [title for part in real for title in part] + [row.title for row in ROWS]
    return {title: {k: asdict(v) for k, v in lines[title].items()} for title in order}


def load(name: str) -> StableDiffusionPipeline:
    """A shipped checkpoint in single precision."""
    return DiffusionPipeline.from_pretrained(MODELS / name, dtype=torch.float32)


def build(model: Model) -> StableDiffusionPipeline:
    """The base plus weighted differences of U-Nets and text encoders, and its LoRAs."""
    whole = load("base")
    others = {name: load(name) for name in model.deltas}
    for part in ("unet", "text_encoder"):
        module: nn.Module = getattr(whole, part)
        base = module.state_dict()
        theirs = {name: getattr(other, part).state_dict() for name, other in others.items()}
        module.load_state_dict({key: _add(model, key, base, theirs) for key in base})
    for name in model.loras:
        whole.load_lora_weights(LORAS, weight_name=f"{name}.safetensors")
    return whole


def _add(model: Model, key: str, base: Tensors, theirs: Mapping[str, Tensors]) -> Tensor:
    changes = [model.deltas[name] * (other[key] - base[key]) for name, other in theirs.items()]
    return base[key] + torch.stack(changes).sum(0) if changes else base[key]


@torch.no_grad()
def _real(style: str, subject: str) -> dict[str, dict[str, Share]]:
    """Drawn pictures of held-out triples, and the same after the autoencoder."""
    shown, oracle, vae = held_out(subject), load_oracle(SCORERS / "oracle"), load("base").vae
    images, _ = draw(shown, style, Generator().manual_seed(99))
    again = [vae.decode(vae.encode(part).latent_dist.mean).sample for part in images.split(32)]
    what = f"{subject or '—'} | — | {style}"
    return {
        f"drawn | {what}": judge(oracle, images, shown, style),
        f"through the autoencoder | {what}": judge(oracle, torch.cat(again), shown, style),
    }


@torch.no_grad()
def _generated(drawn: Row) -> dict[str, dict[str, Share]]:
    """Pictures drawn once, for all lines that ask for them."""
    shown, pipeline = held_out(drawn.subject), build(drawn.model)
    images = generate(pipeline, [drawn.prompts(picture) for picture in shown], drawn.sampler)
    oracle, rows = load_oracle(SCORERS / "oracle"), [row for row in ROWS if row.drawn == drawn]
    print(f"measured: {rows[0].title}", file=sys.stderr, flush=True)
    return {row.title: judge(oracle, images, shown, row.style) for row in rows}
