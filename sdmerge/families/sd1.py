"""Stable Diffusion 1: one UNet of four levels, CLIP-L, one VAE."""

from __future__ import annotations

from sdmerge.families import parts
from sdmerge.families.blocks import unet_blocks
from sdmerge.families.family import DIFFUSERS, Family, Variant

SD1 = Family(
    name="sd1",
    title="Stable Diffusion 1",
    pipeline="StableDiffusionPipeline",
    components=(
        parts.unet(
            {
                "attention_head_dim": "$8|c0,c1,c2",
                "block_out_channels": ["$c0", "$c1", "$c2", "$c2"],
                "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
                "norm_num_groups": "$32|c0,c1,c2",
                "sample_size": 64,
                "transformer_layers_per_block": "$d",
                "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
            },
            {"c0": 320, "c1": 640, "c2": 1280, "x": 768},
            {"d": 1},
            tiny={"x": 8},
        ),
        parts.vae({"sample_size": 512, "scaling_factor": 0.18215}),
        parts.clip_l("cond_stage_model.transformer."),
    ),
    depth=unet_blocks(levels=4),
    scheduler={"_class_name": "PNDMScheduler", "skip_prk_steps": True, **parts.NOISE_SCHEDULE},
    variants=(
        Variant("inpaint", 9, "StableDiffusionInpaintPipeline"),
        Variant("pix2pix", 8, "StableDiffusionInstructPix2PixPipeline"),
    ),
    architecture="stable-diffusion-v1",
    pipeline_config={"requires_safety_checker": False},
    absent=("safety_checker", "feature_extractor", "image_encoder"),
    kohya=DIFFUSERS,
)
