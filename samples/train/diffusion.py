"""What every generator is trained with: noise on latents, and the v that undoes it."""

from collections.abc import Callable
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Generator, Tensor
from transformers import CLIPTextModel

from samples.train import vae as autoencoder
from samples.train.architecture import new_scheduler
from samples.train.captions import caption_picker
from samples.train.dataset import SETS, dataset
from samples.train.loop import Schedule
from samples.train.world import Language

Loss = Callable[[Generator, slice], Tensor]


def v_loss(
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    pictures: str,
    language: Language,
    schedule: Schedule,
) -> Loss:
    """The squared error of the predicted v on a set of pictures and its captions."""
    means, deviations = autoencoder.latents(pictures)
    captions = caption_picker(dataset(pictures).shown, SETS[pictures].style, language)
    scale, alphas = scaling_factor(), new_scheduler().alphas_cumprod

    def loss(dice: Generator, share: slice) -> Tensor:
        rows = torch.randint(len(means), (schedule.batch,), generator=dice)
        draw = torch.randn(2, schedule.batch, *means.shape[1:], generator=dice)[:, share]
        times, words = _times(schedule.batch, dice)[share], captions(rows, dice)[share]
        rows = rows[share]
        clean, noise = scale * (means[rows] + deviations[rows] * draw[0]), draw[1]
        signal = alphas[times].sqrt()[:, None, None, None]
        spread = (1 - alphas[times]).sqrt()[:, None, None, None]
        hidden = text_encoder(words).last_hidden_state
        guess = unet(signal * clean + spread * noise, times, hidden).sample
        return ((guess - (signal * noise - spread * clean)) ** 2).mean()

    return loss


def scaling_factor() -> float:
    """What latents are multiplied with to have unit variance."""
    config: dict[str, Any] = AutoencoderKL.load_config(autoencoder.FOLDER)
    return config["scaling_factor"]


def _times(count: int, dice: Generator) -> Tensor:
    """Time steps; three quarters at middle and high noise, where shapes are decided."""
    middle = torch.sigmoid(0.4 + 1.1 * torch.randn(count, generator=dice))
    anywhere = torch.rand(2, count, generator=dice)
    return (1000 * torch.where(anywhere[0] < 0.25, anywhere[1], middle)).long().clamp(0, 999)
