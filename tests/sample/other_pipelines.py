"""A real FLUX pipeline, tiny and random: it reads prompts with CLIP and T5, and packs its noise."""

from __future__ import annotations

from typing import Any

import diffusers
import tiny
import torch
import transformers


def flux(*, guided: bool) -> Any:
    """FLUX.1 dev in small, or schnell, which takes no guidance."""
    torch.manual_seed(0)
    tokenizer = transformers.CLIPTokenizer.from_pretrained(tiny.SAMPLES / "base" / "tokenizer")
    words = ["<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz()"]
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8), guidance_embeds=guided,
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(
        block_out_channels=(4,), latent_channels=1, norm_num_groups=1, sample_size=32,
        use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0, scaling_factor=1.0,
    )  # fmt: skip
    clip = transformers.CLIPTextModel(transformers.CLIPTextConfig(
        hidden_size=32, intermediate_size=37, num_attention_heads=4, num_hidden_layers=2,
        vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id,
    ))  # fmt: skip
    t5 = transformers.T5EncoderModel(transformers.T5Config(
        d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, vocab_size=len(words),
    ))  # fmt: skip
    pipeline = diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=clip.eval(),
        tokenizer=tokenizer,
        text_encoder_2=t5.eval(),
        tokenizer_2=transformers.T5Tokenizer(vocab=[(word, 0.0) for word in words]),
        transformer=transformer,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
