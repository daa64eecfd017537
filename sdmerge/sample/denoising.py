"""The denoising loss of a pipeline on a latent picture that it draws itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sdmerge.sample.draw import Shot


def denoising_loss(pipeline: Any, shot: Shot, steps: int, guidance: float) -> Tensor:
    """The mean squared error at one random time, of noise or velocity as the model predicts."""
    return loss_on(pipeline, draw_latent(pipeline, shot, steps, guidance), shot)


@dataclass(frozen=True, slots=True)
class Noisy:
    """Latent pictures [n, c, h, w] with noise, each added at a time of its own."""

    latents: Tensor
    noise: Tensor
    times: Tensor  # [n]

    def predicted(self, pipeline: Any, prompts: Sequence[str]) -> Tensor:
        """What the pipeline says of them, noise or velocity, if these prompts are asked for."""
        kept, added = self._shares(pipeline)
        given, more = _conditions(pipeline, prompts, self.latents)
        return pipeline.unet(
            kept * self.latents + added * self.noise, self.times, encoder_hidden_states=given,
            added_cond_kwargs=more,
        ).sample  # fmt: skip

    def wanted(self, pipeline: Any) -> Tensor:
        """What the pipeline should say of them."""
        kept, added = self._shares(pipeline)
        velocity = pipeline.scheduler.config.prediction_type == "v_prediction"
        return kept * self.noise - added * self.latents if velocity else self.noise

    def _shares(self, pipeline: Any) -> tuple[Tensor, Tensor]:
        """How much of the picture is kept and of the noise is added at each time."""
        alphas = pipeline.scheduler.alphas_cumprod.to(self.latents.device)[self.times]
        alphas = alphas.reshape(-1, 1, 1, 1)
        return alphas.sqrt(), (1 - alphas).sqrt()


def noisy(pipeline: Any, latent: Tensor, seed: int) -> Noisy:
    """A latent [1, c, h, w] with the noise, and at the time, that the seed draws."""
    dice = torch.Generator("cpu").manual_seed(seed)
    count = len(pipeline.scheduler.alphas_cumprod)
    times = torch.randint(0, count, (1,), generator=dice).to(latent.device)
    return Noisy(latent, torch.randn(latent.shape, generator=dice).to(latent.device), times)


def loss_on(pipeline: Any, latent: Tensor, shot: Shot) -> Tensor:
    """The loss of `pipeline` on a latent [1, c, h, w]; time and noise come from the shot's seed."""
    seen = noisy(pipeline, latent, shot.seed)
    said = seen.predicted(pipeline, [shot.prompt])
    return torch.nn.functional.mse_loss(said, seen.wanted(pipeline))


def draw_latent(pipeline: Any, shot: Shot, steps: int, guidance: float) -> Tensor:
    """The latent picture [1, c, h, w] that the pipeline draws."""
    result = pipeline(
        prompt=shot.prompt,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator("cpu").manual_seed(shot.seed),
        output_type="latent",
    )
    return result.images.detach()


def _conditions(
    pipeline: Any, prompts: Sequence[str], latents: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """What the UNet is told of the prompts, and of the pictures' size if it asks for it."""
    encoded = pipeline.encode_prompt(
        [*prompts],
        device=latents.device,
        num_images_per_prompt=1,
        do_classifier_free_guidance=False,
    )
    if len(encoded) < 4:
        return encoded[0], {}
    size = [side * pipeline.vae_scale_factor for side in latents.shape[-2:]]
    sizes = torch.tensor([[*size, 0, 0, *size]] * len(prompts)).to(latents)
    return encoded[0], {"text_embeds": encoded[2], "time_ids": sizes}
