"""The SDXL refiner: a wider UNet of four levels that finishes SDXL's pictures, and CLIP-G only."""

from __future__ import annotations

from sdmerge.families import parts
from sdmerge.families.blocks import unet_blocks
from sdmerge.families.family import Family

SDXL_REFINER = Family(
    name="sdxl-refiner",
    title="Stable Diffusion XL refiner",
    pipeline="StableDiffusionXLImg2ImgPipeline",
    components=(
        parts.unet(
            {
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 256,
                "attention_head_dim": ["$c0/64", "$c1/64", "$c2/64", "$c2/64"],
                "block_out_channels": ["$c0", "$c1", "$c2", "$c2"],
                "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * 2, "DownBlock2D"],
                "norm_num_groups": "$32|c0,c1,c2",
                "projection_class_embeddings_input_dim": "$a",
                "sample_size": 128,
                "transformer_layers_per_block": "$d",
                "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 2, "UpBlock2D"],
                "use_linear_projection": True,
            },
            {"c0": 384, "c1": 768, "c2": 1536, "x": 1280, "a": 2560},
            {"d": 4},
            tiny={"x": 16, "a": 5 * 256 + 16},
        ),
        parts.vae({"force_upcast": True, "sample_size": 1024, "scaling_factor": 0.13025}),
        parts.open_clip_g("conditioner.embedders.0.model."),
    ),
    depth=unet_blocks(levels=4),
    scheduler=parts.EULER,
    architecture="stable-diffusion-xl-v1-refiner",
    pipeline_config={"force_zeros_for_empty_prompt": False, "requires_aesthetics_score": True},
    absent=("text_encoder", "tokenizer", "image_encoder", "feature_extractor"),
)
