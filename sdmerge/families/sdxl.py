"""SDXL: one UNet of three levels, two text encoders, one VAE."""

from __future__ import annotations

from sdmerge.families import parts
from sdmerge.families.blocks import unet_blocks
from sdmerge.families.family import Family, Variant

SDXL = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    pipeline="StableDiffusionXLPipeline",
    components=(
        parts.unet(
            {
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 256,
                "attention_head_dim": ["$c0/64", "$c1/64", "$c2/64"],
                "block_out_channels": ["$c0", "$c1", "$c2"],
                "down_block_types": ["DownBlock2D"] + ["CrossAttnDownBlock2D"] * 2,
                "norm_num_groups": "$32|c0,c1,c2",
                "projection_class_embeddings_input_dim": "$a",
                "sample_size": 128,
                "transformer_layers_per_block": [1, "$d1", "$d2"],
                "up_block_types": ["CrossAttnUpBlock2D"] * 2 + ["UpBlock2D"],
                "use_linear_projection": True,
            },
            {"c0": 320, "c1": 640, "c2": 1280, "x": 2048, "a": 2816},
            {"d1": 2, "d2": 10},
            tiny={"x": 8 + 16, "a": 6 * 256 + 16},
        ),
        parts.vae({"force_upcast": True, "sample_size": 1024, "scaling_factor": 0.13025}),
        parts.clip_l("conditioner.embedders.0.transformer."),
        parts.open_clip_g("conditioner.embedders.1.model."),
    ),
    depth=unet_blocks(levels=3),
    scheduler=parts.EULER,
    variants=(
        Variant("inpaint", 9, "StableDiffusionXLInpaintPipeline"),
        Variant("pix2pix", 8, "StableDiffusionXLInstructPix2PixPipeline"),
    ),
    architecture="stable-diffusion-xl-v1-base",
    pipeline_config={"force_zeros_for_empty_prompt": True},
    absent=("image_encoder", "feature_extractor"),
)
