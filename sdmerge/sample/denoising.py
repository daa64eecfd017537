"""The denoising loss of a pipeline on a latent picture that it draws itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sdmerge.sample.draw import Shot


def denoising_loss(pipeline: Any, shot: Shot, steps: int, guidance: float) -> Tensor:
    """The mean squared error at one random time, of noise or velocity as the model predicts."""
    return loss_on(pipeline, draw_latent(pipeline, shot, steps, guidance), shot)


def loss_on(pipeline: Any, latent: Tensor, shot: Shot) -> Tensor:
    """The loss of `pipeline` on a latent [1, c, h, w]; time and noise come from the shot's seed."""
    dice = torch.Generator("cpu").manual_seed(shot.seed)
    alphas = pipeline.scheduler.alphas_cumprod.to(latent.device)
    time = torch.randint(0, len(alphas), (1,), generator=dice).to(latent.device)
    noise = torch.randn(latent.shape, generator=dice).to(latent.device)
    kept, added = alphas[time].sqrt(), (1 - alphas[time]).sqrt()
    given, more = _conditions(pipeline, shot.prompt, latent)
    noisy = kept * latent + added * noise
    said = pipeline.unet(noisy, time, encoder_hidden_states=given, added_cond_kwargs=more).sample
    velocity = pipeline.scheduler.config.prediction_type == "v_prediction"
    wanted = kept * noise - added * latent if velocity else noise
    return torch.nn.functional.mse_loss(said, wanted)


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


def _conditions(pipeline: Any, prompt: str, latent: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """What the UNet is told of the prompt, and of the picture's size if it asks for it."""
    encoded = pipeline.encode_prompt(
        prompt, device=latent.device, num_images_per_prompt=1, do_classifier_free_guidance=False
    )
    if len(encoded) < 4:
        return encoded[0], {}
    size = [side * pipeline.vae_scale_factor for side in latent.shape[-2:]]
    sizes = torch.tensor([[*size, 0, 0, *size]], dtype=latent.dtype, device=latent.device)
    return encoded[0], {"text_embeds": encoded[2], "time_ids": sizes}
