"""The autoencoder: first both halves, then the decoder alone on latents that no longer move."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Generator, Tensor
from torch.nn import functional

from samples.train.architecture import new_vae
from samples.train.dataset import DISTRACTOR_SET, GENERATOR_SETS, dataset
from samples.train.loop import Schedule, Task
from samples.train.paths import WORK

FOLDER = WORK / "vae"
REFINED = WORK / "vae-refined"
CHUNK = 128


@dataclass(frozen=True, slots=True)
class Pile:
    """The pictures of every style on one pile."""

    pixels: Tensor
    masks: Tensor

    def pick(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures in -1…1 and the weight of each pixel: more in and around the shape."""
        images = self.pixels[rows].float() / 127.5 - 1
        near = functional.max_pool2d(self.masks[rows].float() / 255, 7, 1, 3)
        return images, 1 + near


def pile() -> Pile:
    """All training pictures; the styles that are hardest to draw are the most frequent."""
    parts = [dataset(name) for name in GENERATOR_SETS]
    return Pile(torch.cat([p.pixels for p in parts]), torch.cat([p.masks for p in parts]))


def vae_task() -> Task:
    """Train encoder and decoder together."""
    vae, pictures = new_vae(), pile()
    schedule = Schedule(2400, batch=16, averaging=0.995)

    def loss(dice: Generator, share: slice) -> Tensor:
        rows = torch.randint(len(pictures.pixels), (schedule.batch,), generator=dice)
        noise = torch.randn(schedule.batch, 4, 8, 8, generator=dice)[share]
        images, weights = pictures.pick(rows[share])
        with torch.autocast("cpu", torch.bfloat16):
            moments = vae.encode(images).latent_dist
            mean, deviation = moments.mean.float(), moments.std.float()
            drawn = vae.decode(mean + deviation * noise).sample
        variance = deviation**2
        divergence = 0.5 * (mean**2 + variance - 1 - variance.log()).mean()
        return distance(drawn.float(), images, weights) + 1e-3 * divergence

    def save() -> None:
        with torch.no_grad():
            latents = encode(vae, pictures.pixels[::16])[0]
        vae.register_to_config(scaling_factor=round(1 / latents.std().item(), 5))
        vae.save_pretrained(FOLDER)

    groups = [{"params": list(vae.parameters()), "rate": 2e-3}]
    return Task("vae", 1, schedule, groups, loss, save)


def decoder_task() -> Task:
    """Train the decoder further; the encoder, and so every latent, stays as it is."""
    vae, pictures = AutoencoderKL.from_pretrained(FOLDER), pile()
    means, deviations = (
        torch.cat(parts) for parts in zip(*map(latents, GENERATOR_SETS), strict=True)
    )
    schedule = Schedule(1800, batch=16, averaging=0.995)

    def loss(dice: Generator, share: slice) -> Tensor:
        rows = torch.randint(len(means), (schedule.batch,), generator=dice)[share]
        noise = torch.randn(schedule.batch, 4, 8, 8, generator=dice)[share]
        images, weights = pictures.pick(rows)
        with torch.autocast("cpu", torch.bfloat16):
            drawn = vae.decode(means[rows] + deviations[rows] * noise).sample
        return distance(drawn.float(), images, weights)

    parameters = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    groups = [{"params": parameters, "rate": 1e-3}]
    return Task(
        "decoder", 2, schedule, groups, loss, lambda: vae.save_pretrained(REFINED), reports=500
    )


def distance(drawn: Tensor, images: Tensor, weights: Tensor) -> Tensor:
    """Colours and edges that differ, weighted per pixel."""
    gap = drawn - images
    colours = (weights * (gap.abs() + gap**2)).mean()
    across = (weights[..., 1:] * (gap[..., 1:] - gap[..., :-1]).abs()).mean()
    down = (weights[..., 1:, :] * (gap[..., 1:, :] - gap[..., :-1, :]).abs()).mean()
    coarse = functional.avg_pool2d(gap, 8).abs().mean()  # or green and black stay one for long
    return colours + coarse + 0.5 * (across + down)


@torch.no_grad()
def encode(vae: AutoencoderKL, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the latents of pictures given as bytes."""
    means: list[Tensor] = []
    deviations: list[Tensor] = []
    for chunk in pixels.split(CHUNK):
        moments = vae.encode(chunk.float() / 127.5 - 1).latent_dist
        means.append(moments.mean)
        deviations.append(moments.std)
    return torch.cat(means), torch.cat(deviations)


def store_latents() -> None:
    """Encode every data set of the generators, unless that is done."""
    for name in GENERATOR_SETS | DISTRACTOR_SET:
        path = _latents_path(name)
        if not path.exists():
            vae = AutoencoderKL.from_pretrained(FOLDER).eval()
            torch.save(encode(vae, dataset(name).pixels), path)


def latents(name: str) -> tuple[Tensor, Tensor]:
    """Means and deviations of a data set's stored latents."""
    means, deviations = torch.load(_latents_path(name))
    return means, deviations


def _latents_path(name: str) -> Path:
    return WORK / f"latents-{name}.pt"
