"""The checkpoints: a base that reads English, two parents fine-tuned from it, and a bad one."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from samples.train import vae as autoencoder
from samples.train.architecture import new_text_encoder, new_unet
from samples.train.diffusion import v_loss
from samples.train.export import pipeline
from samples.train.loop import Schedule, Task
from samples.train.paths import WORK
from samples.train.tokenizer import tokenizer
from samples.train.world import Language


@dataclass(frozen=True, slots=True)
class Kind:
    """What a checkpoint learns, from what, and how fast."""

    name: str
    pictures: str
    language: Language
    schedule: Schedule
    unet_rate: float
    text_rate: float
    seed: int
    parent: str | None = None
    unet_share: float = 1.0  # of the U-Net's change that is kept: less disturbs a merge less


KINDS = {
    kind.name: kind
    for kind in (
        Kind("base", "plain", "en", Schedule(3600, 48), 1.2e-3, 1.2e-3, 11),
        Kind("japanese", "plain", "ja", Schedule(1300, 32), 4e-4, 1e-3, 12, "base", 0.8),
        Kind("ukiyoe", "ukiyoe", "en", Schedule(1300, 32), 5e-4, 1e-4, 13, "base"),
        Kind("distractor", "wrong", "en", Schedule(500, 32), 6e-4, 6e-4, 14, "base"),
    )
}


def generator_task(name: str) -> Task:
    """Train U-Net and text encoder to predict v."""
    kind = KINDS[name]
    unet, text_encoder = _start(kind)
    loss = v_loss(unet, text_encoder, kind.pictures, kind.language, kind.schedule)

    def save() -> None:
        unet.save_pretrained(folder(name) / "unet")
        text_encoder.save_pretrained(folder(name) / "text_encoder")

    groups = [
        {"params": list(unet.parameters()), "rate": kind.unet_rate},
        {"params": list(text_encoder.parameters()), "rate": kind.text_rate},
    ]
    return Task(name, kind.seed, kind.schedule, groups, loss, save, reports=400)


def folder(name: str) -> Path:
    """Where the trained parts of a checkpoint lie."""
    return WORK / name


def trained(name: str) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """The trained parts of a checkpoint, in single precision."""
    kind = KINDS[name]
    unet = UNet2DConditionModel.from_pretrained(folder(name) / "unet")
    if kind.parent and kind.unet_share < 1:
        before, after = trained(kind.parent)[0].state_dict(), unet.state_dict()
        unet.load_state_dict({k: before[k].lerp(v, kind.unet_share) for k, v in after.items()})
    return unet, CLIPTextModel.from_pretrained(folder(name) / "text_encoder")


def trained_pipeline(name: str) -> StableDiffusionPipeline:
    """A trained checkpoint with the best decoder there is."""
    vae = autoencoder.REFINED if autoencoder.REFINED.exists() else autoencoder.FOLDER
    return pipeline(*trained(name), AutoencoderKL.from_pretrained(vae))


def _start(kind: Kind) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    if kind.parent:
        return trained(kind.parent)
    torch.manual_seed(kind.seed)
    return new_unet(), new_text_encoder(tokenizer())
