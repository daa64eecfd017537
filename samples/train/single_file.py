"""Renames a pipeline's tensors as SD1's original single files name them."""

import re

import torch
from torch import Tensor

Tensors = dict[str, Tensor]

_UNET_EDGES = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.resnets.1": "middle_block.2",
}
_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}


def single_file(unet: Tensors, vae: Tensors, text_encoder: Tensors) -> Tensors:
    """All tensors under SD1's names; the text encoder's come with `text_model.`."""
    names = _unet_prefixes()
    tensors = {f"model.diffusion_model.{_unet_name(k, names)}": v for k, v in unet.items()}
    for key, tensor in vae.items():
        name = _vae_name(key)
        square = ".attn_1." in name and tensor.ndim == 2
        tensors[f"first_stage_model.{name}"] = tensor[..., None, None] if square else tensor
    text = "cond_stage_model.transformer."
    tensors |= {f"{text}{key}": tensor for key, tensor in text_encoder.items()}
    positions = text_encoder["text_model.embeddings.position_embedding.weight"].shape[0]
    # a buffer that SD1's files carry; diffusers leaves it out
    tensors[f"{text}text_model.embeddings.position_ids"] = torch.arange(positions)[None]
    return {key: tensor.contiguous() for key, tensor in tensors.items()}


def _unet_prefixes() -> dict[str, str]:
    prefixes = dict(_UNET_EDGES)
    for level in range(4):
        for layer in range(2):
            block = f"input_blocks.{3 * level + layer + 1}"
            prefixes[f"down_blocks.{level}.resnets.{layer}"] = f"{block}.0"
            prefixes[f"down_blocks.{level}.attentions.{layer}"] = f"{block}.1"
        for layer in range(3):
            block = f"output_blocks.{3 * level + layer}"
            prefixes[f"up_blocks.{level}.resnets.{layer}"] = f"{block}.0"
            prefixes[f"up_blocks.{level}.attentions.{layer}"] = f"{block}.1"
        down = f"down_blocks.{level}.downsamplers.0.conv"
        prefixes[down] = f"input_blocks.{3 * level + 3}.0.op"
        up = f"up_blocks.{level}.upsamplers.0.conv"
        # the lowest level has no attention, so its upsampler comes one place earlier
        prefixes[up] = f"output_blocks.{3 * level + 2}.{1 if level == 0 else 2}.conv"
    return prefixes


def _unet_name(key: str, prefixes: dict[str, str]) -> str:
    prefix = next(prefix for prefix in prefixes if key.startswith(f"{prefix}."))
    rest = key.removeprefix(f"{prefix}.")
    if ".resnets." in key:
        layer, _, kind = rest.rpartition(".")
        rest = f"{_UNET_RESNET[layer]}.{kind}"
    return f"{prefixes[prefix]}.{rest}"


def _vae_name(key: str) -> str:
    key = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", key)
    key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(r"up_blocks\.(\d)\.", lambda found: f"up.{3 - int(found[1])}.", key)
    key = key.replace(".upsamplers.0.", ".upsample.").replace(".resnets.", ".block.")
    key = re.sub(r"mid_block\.block\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", key)
    key = key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    head, found, tail = key.partition("mid_block.attentions.0.")
    if not found:
        return key
    layer, _, kind = tail.rpartition(".")
    return f"{head}mid.attn_1.{_VAE_ATTENTION[layer]}.{kind}"
