"""A student that draws in four steps what the base, guided, draws in eight.

The teacher's paths are kept. For every second point of a path the student learns the v whose one
DDIM step lands on the point after the next: progressive distillation of two steps into one
(Salimans & Ho, 2022, arXiv 2202.00512), with the guidance distilled too (Meng et al., 2022,
arXiv 2210.03142). Its U-Net is the base plus low-rank factors, so its difference is a LoRA.
"""

import multiprocessing
import sys
from functools import partial
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Generator, Tensor

from samples.train.architecture import new_scheduler
from samples.train.captions import caption_picker
from samples.train.dataset import GENERATOR_SETS
from samples.train.generator import trained
from samples.train.loop import Schedule, Task
from samples.train.lora import EVERYTHING, Adapter, adapted, factors, store
from samples.train.paths import WORK
from samples.train.size import scaled
from samples.train.tokenizer import token_ids

PARTS = 16
CHUNKS, CHUNK = 16, 64  # of a part
STEPS = 4
TEACHER_STEPS = 2 * STEPS
GUIDANCE = 3.0
FEW_STEP = Adapter("few_step", "plain", 24, 12, EVERYTHING, Schedule(2000, 32), 2e-3, 25)


def draw_paths(processes: int) -> None:
    """The teacher's paths and their captions, part by part; parts that are done stay."""
    with multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, [1]) as pool:
        for part in pool.imap_unordered(_draw_part, range(PARTS)):
            print(f"paths: part {part} of {PARTS}", file=sys.stderr, flush=True)


@torch.no_grad()
def _draw_part(part: int) -> int:
    if _part(part).exists():
        return part
    unet, text_encoder = trained("base")
    dice = Generator().manual_seed(1000 * FEW_STEP.seed + part)
    shown = GENERATOR_SETS["plain"].pictures()
    captions = caption_picker(shown, "plain", "en")
    words: list[Tensor] = []
    points: list[Tensor] = []
    silence = text_encoder(token_ids([""])).last_hidden_state.expand(CHUNK, -1, -1)
    for _ in range(scaled(CHUNKS)):
        ids = captions(torch.randint(len(shown), (CHUNK,), generator=dice), dice)
        hidden = torch.cat([silence, text_encoder(ids).last_hidden_state])
        words.append(ids)
        points.append(_path(unet, hidden, torch.randn(CHUNK, 4, 8, 8, generator=dice)))
    unfinished = _part(part).with_suffix(".partial")
    torch.save((torch.cat(words), torch.cat(points)), unfinished)
    unfinished.replace(_part(part))
    return part


def _part(part: int) -> Path:
    return WORK / f"paths-{part}.pt"


def _path(unet: UNet2DConditionModel, hidden: Tensor, latents: Tensor) -> Tensor:
    """Every second point on the way of guided DDIM from noise: [n, steps + 1, 4, 8, 8]."""
    scheduler = new_scheduler()
    scheduler.set_timesteps(TEACHER_STEPS)
    points = [latents]
    for index, time in enumerate(scheduler.timesteps):
        silent, spoken = unet(torch.cat([latents, latents]), time, hidden).sample.chunk(2)
        guess = silent + GUIDANCE * (spoken - silent)
        latents = scheduler.step(guess, time, latents).prev_sample
        if index % 2 == 1:
            points.append(latents)
    return torch.stack(points, 1).half()


def v_between(scheduler: DDIMScheduler) -> tuple[Tensor, Tensor]:
    """(a, b) per step, [steps] each, such that a DDIM step with v takes z to a·z + b·v."""
    scheduler.set_timesteps(STEPS)
    now = scheduler.alphas_cumprod[scheduler.timesteps]
    then = torch.cat([now[1:], torch.ones(1)])
    keep = (then * now).sqrt() + ((1 - then) * (1 - now)).sqrt()
    turn = ((1 - then) * now).sqrt() - (then * (1 - now)).sqrt()
    return keep, turn


def few_step_task() -> Task:
    """Train the student's factors; the text encoder stays the base's."""
    unet, text_encoder = adapted(FEW_STEP)
    parts = [torch.load(_part(part)) for part in range(PARTS)]
    words, points = (torch.cat(column) for column in zip(*parts, strict=True))
    scheduler, schedule = new_scheduler(), FEW_STEP.schedule
    keep, turn = v_between(scheduler)
    times = scheduler.timesteps

    def loss(dice: Generator, share: slice) -> Tensor:
        rows = torch.randint(len(words), (schedule.batch,), generator=dice)[share]
        steps = torch.randint(STEPS, (schedule.batch,), generator=dice)[share]
        here, there = points[rows, steps].float(), points[rows, steps + 1].float()
        a, b = (part[steps][:, None, None, None] for part in (keep, turn))
        hidden = text_encoder(words[rows]).last_hidden_state
        guess = unet(here, times[steps], hidden).sample
        return ((guess - (there - a * here) / b) ** 2).mean()

    save = partial(store, FEW_STEP, unet, text_encoder)
    groups = [{"params": list(factors(unet)), "rate": FEW_STEP.rate}]
    return Task("few_step", FEW_STEP.seed, schedule, groups, loss, save)
