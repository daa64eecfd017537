"""Stable Diffusion 2: SD1's UNet with linear projections, OpenCLIP-H, one VAE.

2.0-base (epsilon) and 2.1 (v-prediction) have equal keys and shapes; only metadata tell them apart.
"""

from __future__ import annotations

from sdmerge.families import parts
from sdmerge.families.blocks import unet_blocks
from sdmerge.families.family import DIFFUSERS, Family, Variant

SD2 = Family(
    name="sd2",
    title="Stable Diffusion 2",
    pipeline="StableDiffusionPipeline",
    components=(
        parts.unet(
            {
                "attention_head_dim": ["$c0/64", "$c1/64", "$c2/64", "$c2/64"],
                "block_out_channels": ["$c0", "$c1", "$c2", "$c2"],
                "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
                "norm_num_groups": "$32|c0,c1,c2",
                "sample_size": 96,
                "transformer_layers_per_block": "$d",
                "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
                "use_linear_projection": True,
            },
            {"c0": 320, "c1": 640, "c2": 1280, "x": 1024},
            {"d": 1},
            tiny={"x": 8},
        ),
        parts.vae({"sample_size": 768, "scaling_factor": 0.18215}),
        parts.open_clip_h("cond_stage_model.model."),
    ),
    depth=unet_blocks(levels=4),
    scheduler={"_class_name": "DDIMScheduler", "clip_sample": False, **parts.NOISE_SCHEDULE},
    variants=(
        Variant("inpaint", 9, "StableDiffusionInpaintPipeline"),
        Variant("depth", 5, "StableDiffusionDepth2ImgPipeline"),
    ),
    architecture="stable-diffusion-v2",
    pipeline_config={"requires_safety_checker": False},
    absent=("safety_checker", "feature_extractor", "image_encoder"),
    kohya=DIFFUSERS,
)
