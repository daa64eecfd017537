"""Origin: what the first releases called a network's tensors, written from diffusers' names.

These names are only the question put to diffusers' converter: what it answers is what is frozen,
and a name it does not bring back to where it came from stops the build.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Shapes = Mapping[str, tuple[int, ...]]

_RESNET = {
    "norm1.": "in_layers.0.",
    "conv1.": "in_layers.2.",
    "norm2.": "out_layers.0.",
    "conv2.": "out_layers.3.",
    "time_emb_proj.": "emb_layers.1.",
    "conv_shortcut.": "skip_connection.",
}
_UNET = {
    "conv_in.": "input_blocks.0.0.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "add_embedding.linear_1.": "label_emb.0.0.",
    "add_embedding.linear_2.": "label_emb.0.2.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
}
_VAE = {
    "conv_norm_out.": "norm_out.",
    "mid_block.resnets.0.": "mid.block_1.",
    "mid_block.resnets.1.": "mid.block_2.",
    "mid_block.attentions.0.group_norm.": "mid.attn_1.norm.",
    "mid_block.attentions.0.to_q.": "mid.attn_1.q.",
    "mid_block.attentions.0.to_k.": "mid.attn_1.k.",
    "mid_block.attentions.0.to_v.": "mid.attn_1.v.",
    "mid_block.attentions.0.to_out.0.": "mid.attn_1.proj_out.",
    "conv_shortcut.": "nin_shortcut.",
}
_OPEN_CLIP = {
    "embeddings.token_embedding.": "token_embedding.",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.": "ln_final.",
    "encoder.layers.": "transformer.resblocks.",
    "self_attn.": "attn.",
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
}
_LEVEL = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|\w+samplers)\.(\d+)\.(.*)")


def ldm_unet(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """A UNet as in CompVis' and Stability's `input_blocks`, `middle_block`, `output_blocks`."""
    layers = 1 + max(int(m[4]) for key in shapes if (m := _LEVEL.match(key)) and m[1] == "down")

    def place(match: re.Match[str]) -> str:
        way, level, kind, index, rest = match.groups()
        block = (layers + 1) * int(level) + int(index)
        if kind == "downsamplers":
            return f"input_blocks.{(layers + 1) * (int(level) + 1)}.0.{rest.replace('conv', 'op')}"
        if kind == "upsamplers":
            attends = any(key.startswith(f"up_blocks.{level}.attentions.") for key in shapes)
            return f"output_blocks.{block + layers}.{2 if attends else 1}.{rest}"
        side = 1 if kind == "attentions" else 0
        if way == "down":  # input_blocks.0 is conv_in
            return f"input_blocks.{block + 1}.{side}.{rest}"
        return f"output_blocks.{block}.{side}.{rest}"

    named: dict[str, tuple[int, ...]] = {}
    for key, shape in shapes.items():
        name = _LEVEL.sub(place, _replaced(key, _UNET))
        named[_replaced(name, _RESNET) if ".resnets." in key else name] = shape
    return named


def ldm_vae(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """An autoencoder whose attention is made of 1×1 convolutions and whose levels count down."""
    top = max(int(m[2]) for key in shapes if (m := _LEVEL.search(key)))

    def place(match: re.Match[str]) -> str:
        way, level, kind, index, rest = match.groups()
        number = int(level) if way == "down" else top - int(level)
        inner = f"block.{index}" if kind == "resnets" else kind.removesuffix("rs")
        return f"{way}.{number}.{inner}.{rest}"

    named: dict[str, tuple[int, ...]] = {}
    for key, shape in shapes.items():
        name = _LEVEL.sub(place, _replaced(key, _VAE))
        named[name] = (*shape, 1, 1) if ".to_" in key and len(shape) == 2 else shape
    return named


def clip(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Transformers' own names, as they were before 5.6: all under text_model."""
    return {f"text_model.{key}": shape for key, shape in shapes.items()}


def open_clip(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """OpenCLIP's text tower: query, key and value fused, the projection on its other side.

    A model whose class has no projection stops one layer early; the file has both.
    """
    named: dict[str, tuple[int, ...]] = {"logit_scale": ()}
    for key, shape in shapes.items():
        name = _replaced(key, _OPEN_CLIP)
        if key == "text_projection.weight":
            named["text_projection"] = shape[::-1]
        elif match := re.fullmatch(r"(.*)\.([qkv])_proj\.(weight|bias)", name):
            if match[2] == "q":
                named[f"{match[1]}.in_proj_{match[3]}"] = (3 * shape[0], *shape[1:])
        else:
            named[name] = shape
    if "text_projection" not in named:
        width = named["ln_final.weight"][0]
        named["text_projection"] = (width, width)
        block = "transformer.resblocks."
        last = max(int(key.split(".")[2]) for key in named if key.startswith(block))
        for key, shape in list(named.items()):
            if key.startswith(f"{block}{last}."):
                named[key.replace(f"{block}{last}.", f"{block}{last + 1}.")] = shape
    return named


def _replaced(key: str, words: Mapping[str, str]) -> str:
    for ours, theirs in words.items():
        key = key.replace(ours, theirs)
    return key


ORIGINS: Mapping[str, Callable[[Shapes], dict[str, tuple[int, ...]]]] = {
    "ldm-unet": ldm_unet,
    "ldm-vae": ldm_vae,
    "clip": clip,
    "open-clip": open_clip,
}
