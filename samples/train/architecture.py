"""Stable Diffusion 1 with every block and key it has, only narrower."""

import math

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

UNET_WIDTHS = (40, 56, 64, 64)
VAE_WIDTHS = (16, 32, 64, 64)
TEXT_WIDTH = 96
HEADS = 4
NORM_GROUPS = 8
TOKENS = 24  # the longest caption plus a long unknown prefix


def new_unet() -> UNet2DConditionModel:
    """SD1's U-Net: its default block types, two layers per block, 686 keys."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=UNET_WIDTHS,
        layers_per_block=2,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=HEADS,  # the number of heads, in this class
        norm_num_groups=NORM_GROUPS,
    )


def new_vae() -> AutoencoderKL:
    """SD1's autoencoder: 64×64 pictures to 8×8 latents of 4 channels, 248 keys."""
    return AutoencoderKL(
        block_out_channels=VAE_WIDTHS,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        norm_num_groups=NORM_GROUPS,
        latent_channels=4,
        sample_size=64,
    )


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """CLIP's text model with three layers."""
    model = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=3 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    # CLIP's own initial values are meant for width 512 and long training; these learn faster here
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2:
            spread = 1 / math.sqrt(parameter.shape[1])
            spread = 0.3 if "token_emb" in name else 0.1 if "position_emb" in name else spread
            torch.nn.init.normal_(parameter, std=spread)
    return model


def new_scheduler() -> DDIMScheduler:
    """SD1's noise schedule with zero terminal SNR, so that few steps are enough."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )
