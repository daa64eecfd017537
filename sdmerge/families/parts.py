"""Parts that several families share: the VAE and CLIP's text encoders, and how files name them."""

from __future__ import annotations

from sdmerge.families.family import DIFFUSERS, SINGLE_FILE, Component, Config, Layout

UNET_CONFIG: Config = {
    "_class_name": "UNet2DConditionModel",
    "act_fn": "silu",
    "center_input_sample": False,
    "cross_attention_dim": "$x",
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": "$in",
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "out_channels": "$out",
}
CLIP_CONFIG: Config = {
    "attention_dropout": 0.0,
    "bos_token_id": "$v-2",
    "eos_token_id": "$v-1",
    "hidden_size": "$w",
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "intermediate_size": "$f",
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": "$p",
    "model_type": "clip_text_model",
    "num_attention_heads": "$w/64",
    "num_hidden_layers": "$n",
    "pad_token_id": 1,
    "vocab_size": "$v",
}
NOISE_SCHEDULE: Config = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
EULER: Config = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "use_karras_sigmas": False,
}
# names that diffusers' attention blocks had before they were shared with the UNet's
_OLD_VAE = (
    (".to_q.", ".query."),
    (".to_k.", ".key."),
    (".to_v.", ".value."),
    (".to_out.0.", ".proj_attn."),
)
_TEXT_MODEL = "text_model."
_TINY_CLIP = {"w": 8, "f": 16, "n": 2}


def unet(
    config: Config, sizes: dict[str, int], depths: dict[str, int], tiny: dict[str, int]
) -> Component:
    """A UNet of the first release's kind."""
    return Component(
        name="unet",
        library="diffusers",
        class_name="UNet2DConditionModel",
        stem="diffusion_pytorch_model",
        template={**UNET_CONFIG, **config},
        sizes={"in": 4, "out": 4, **sizes},
        depths=depths,
        tiny={"c0": 8, "c1": 16, "c2": 24, **tiny},
        origin="ldm-unet",
        layouts=_layouts("unet", Layout(("model.diffusion_model.", ""))),
    )


def vae(config: Config) -> Component:
    """The autoencoder of four levels that all Stable Diffusion releases before 3 share."""
    template: Config = {
        "_class_name": "AutoencoderKL",
        "act_fn": "silu",
        "block_out_channels": ["$c0", "$c1", "$c2", "$c2"],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "in_channels": "$in",
        "latent_channels": "$z",
        "layers_per_block": 2,
        "norm_num_groups": "$32|c0,c1,c2",
        "out_channels": "$out",
        "up_block_types": ["UpDecoderBlock2D"] * 4,
    }
    return Component(
        name="vae",
        library="diffusers",
        class_name="AutoencoderKL",
        stem="diffusion_pytorch_model",
        template={**template, **config},
        sizes={"c0": 128, "c1": 256, "c2": 512, "z": 4, "in": 3, "out": 3},
        depths={},
        tiny={"c0": 8, "c1": 16, "c2": 24},
        origin="ldm-vae",
        layouts=_layouts("vae", Layout(("first_stage_model.", "vae.", "")), _OLD_VAE),
        fixed=("z",),
        block="VAE",
    )


def clip_l(prefix: str) -> Component:
    """OpenAI's CLIP ViT-L/14, in single files under `prefix` and named as transformers does."""
    return Component(
        name="text_encoder",
        library="transformers",
        class_name="CLIPTextModel",
        stem="model",
        template=_clip_config("CLIPTextModel", "quick_gelu", "$w"),
        sizes={"w": 768, "f": 3072, "p": 77, "v": 49408},
        depths={"n": 12},
        tiny=_TINY_CLIP,
        origin="clip",
        layouts=_clip_layouts("text_encoder", Layout((prefix,), ((_TEXT_MODEL, ""),))),
        block="BASE",
        tokenizer="tokenizer",
        pad_token="<|endoftext|>",
        wrapper=_TEXT_MODEL,
        encoder="clip_l",
    )


def open_clip_h(prefix: str) -> Component:
    """OpenCLIP ViT-H/14 without its last layer, fused attention split."""
    return Component(
        name="text_encoder",
        library="transformers",
        class_name="CLIPTextModel",
        stem="model",
        template=_clip_config("CLIPTextModel", "gelu", 512),
        sizes={"w": 1024, "f": 4096, "p": 77, "v": 49408},
        depths={"n": 23},
        tiny=_TINY_CLIP,
        origin="open-clip",
        layouts=_clip_layouts("text_encoder", Layout((prefix, ""))),
        block="BASE",
        tokenizer="tokenizer",
        pad_token="!",
        wrapper=_TEXT_MODEL,
        encoder="clip_h",
    )


def open_clip_g(prefix: str) -> Component:
    """OpenCLIP ViT-bigG/14 with its projection, fused attention split."""
    return Component(
        name="text_encoder_2",
        library="transformers",
        class_name="CLIPTextModelWithProjection",
        stem="model",
        template=_clip_config("CLIPTextModelWithProjection", "gelu", "$j"),
        sizes={"w": 1280, "f": 5120, "p": 77, "v": 49408, "j": 1280},
        depths={"n": 32},
        # diffusers tells SDXL's two encoders apart by their widths
        tiny={"w": 16, "f": 32, "n": 2, "j": 16},
        origin="open-clip",
        layouts=_clip_layouts("text_encoder_2", Layout((prefix, ""))),
        block="BASE",
        tokenizer="tokenizer_2",
        pad_token="!",
        wrapper=_TEXT_MODEL,
        unwrapped=("text_projection.",),
        encoder="clip_g",
    )


def _clip_config(class_name: str, activation: str, projection: int | str) -> Config:
    return {
        "architectures": [class_name],
        **CLIP_CONFIG,
        "hidden_act": activation,
        "projection_dim": projection,
    }


def _clip_layouts(name: str, single_file: Layout) -> dict[str, Layout]:
    """A text encoder may come with what its other half of CLIP needs."""
    unused = frozenset({"text_projection.weight", "logit_scale"})
    return _layouts(name, single_file, ((_TEXT_MODEL, ""),), unused)


def _layouts(
    name: str,
    single_file: Layout,
    aliases: tuple[tuple[str, str], ...] = (),
    unused: frozenset[str] = frozenset(),
) -> dict[str, Layout]:
    # a folder's files bear no prefix; one file of diffusers' names bears the component's
    return {SINGLE_FILE: single_file, DIFFUSERS: Layout((f"{name}.", ""), aliases, unused)}
