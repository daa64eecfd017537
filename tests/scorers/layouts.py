"""Names and shapes of the published checkpoints, written down from their repositories' own code.

A function per file; sizes are arguments, so that the same names serve a checkpoint of full size on
the meta device and one with a few thousand weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Vision:
    """A vision transformer of square pictures."""

    width: int
    layers: int
    mlp: int
    side: int
    patch: int

    @property
    def tokens(self) -> int:
        return (self.side // self.patch) ** 2

    @property
    def patches(self) -> tuple[int, ...]:
        """The shape of the layer that looks at them."""
        return (self.width, 3, self.patch, self.patch)


@dataclass(frozen=True)
class Text:
    """A text transformer."""

    width: int
    layers: int
    mlp: int
    words: int
    tokens: int


def affine(name: str, out: int, into: int | None = None) -> Shapes:
    """A linear layer, or (without `into`) a norm."""
    return {f"{name}.weight": (out,) if into is None else (out, into), f"{name}.bias": (out,)}


def clip(text: Text, vision: Vision, dim: int) -> Shapes:
    """transformers' CLIPModel: openai/clip-vit-*, laion's, yuvalkirstain/PickScore_v1."""
    found: Shapes = {
        "logit_scale": (),
        "text_model.embeddings.token_embedding.weight": (text.words, text.width),
        "text_model.embeddings.position_embedding.weight": (text.tokens, text.width),
        "vision_model.embeddings.class_embedding": (vision.width,),
        "vision_model.embeddings.patch_embedding.weight": vision.patches,
        "vision_model.embeddings.position_embedding.weight": (vision.tokens + 1, vision.width),
        "text_projection.weight": (dim, text.width),
        "visual_projection.weight": (dim, vision.width),
        **affine("text_model.final_layer_norm", text.width),
        **affine("vision_model.pre_layrnorm", vision.width),
        **affine("vision_model.post_layernorm", vision.width),
    }  # fmt: skip
    for head, tower in (("text_model", text), ("vision_model", vision)):
        found |= layers(f"{head}.encoder.layers", tower)
    return found


def layers(head: str, tower: Text | Vision) -> Shapes:
    """The blocks of CLIP and SigLIP in transformers."""
    width, found = tower.width, Shapes()
    for n in range(tower.layers):
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= affine(f"{head}.{n}.self_attn.{part}", width, width)
        found |= affine(f"{head}.{n}.mlp.fc1", tower.mlp, width)
        found |= affine(f"{head}.{n}.mlp.fc2", width, tower.mlp)
        found |= affine(f"{head}.{n}.layer_norm1", width)
        found |= affine(f"{head}.{n}.layer_norm2", width)
    return found


def open_clip(text: Text, vision: Vision, dim: int) -> Shapes:
    """open_clip's CLIP: HPS_v2.1_compressed.pt under `state_dict`."""
    found: Shapes = {
        "positional_embedding": (text.tokens, text.width),
        "text_projection": (text.width, dim),
        "logit_scale": (),
        "visual.class_embedding": (vision.width,),
        "visual.positional_embedding": (vision.tokens + 1, vision.width),
        "visual.proj": (vision.width, dim),
        "visual.conv1.weight": vision.patches,
        "token_embedding.weight": (text.words, text.width),
        **affine("visual.ln_pre", vision.width),
        **affine("visual.ln_post", vision.width),
        **affine("ln_final", text.width),
    }
    for head, tower in (("transformer", text), ("visual.transformer", vision)):
        width = tower.width
        for n in range(tower.layers):
            block = f"{head}.resblocks.{n}"
            found[f"{block}.attn.in_proj_weight"] = (3 * width, width)
            found[f"{block}.attn.in_proj_bias"] = (3 * width,)
            found |= affine(f"{block}.attn.out_proj", width, width)
            found |= affine(f"{block}.mlp.c_fc", tower.mlp, width)
            found |= affine(f"{block}.mlp.c_proj", width, tower.mlp)
            found |= affine(f"{block}.ln_1", width) | affine(f"{block}.ln_2", width)
    return found


def siglip(text: Text, vision: Vision) -> Shapes:
    """transformers' SiglipModel: google/siglip2-base-patch16-224."""
    wide = vision.width
    found: Shapes = {
        "logit_scale": (1,),
        "logit_bias": (1,),
        "text_model.embeddings.token_embedding.weight": (text.words, text.width),
        "text_model.embeddings.position_embedding.weight": (text.tokens, text.width),
        "vision_model.embeddings.patch_embedding.weight": vision.patches,
        "vision_model.embeddings.patch_embedding.bias": (wide,),
        "vision_model.embeddings.position_embedding.weight": (vision.tokens, wide),
        "vision_model.head.probe": (1, 1, wide),
        "vision_model.head.attention.in_proj_weight": (3 * wide, wide),
        "vision_model.head.attention.in_proj_bias": (3 * wide,),
        **affine("vision_model.head.attention.out_proj", wide, wide),
        **affine("vision_model.head.layernorm", wide),
        **affine("vision_model.head.mlp.fc1", vision.mlp, wide),
        **affine("vision_model.head.mlp.fc2", wide, vision.mlp),
        **affine("vision_model.post_layernorm", wide),
        **affine("text_model.final_layer_norm", text.width),
        **affine("text_model.head", wide, text.width),
    }
    for head, tower in (("text_model", text), ("vision_model", vision)):
        found |= layers(f"{head}.encoder.layers", tower)
    return found


def dinov2(vision: Vision) -> Shapes:
    """transformers' Dinov2Model: facebook/dinov2-base, trained on 518 × 518 pixels."""
    width = vision.width
    found: Shapes = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.mask_token": (1, width),
        "embeddings.position_embeddings": (1, vision.tokens + 1, width),
        "embeddings.patch_embeddings.projection.weight": vision.patches,
        "embeddings.patch_embeddings.projection.bias": (width,),
        **affine("layernorm", width),
    }
    for n in range(vision.layers):
        block = f"encoder.layer.{n}"
        for part in ("query", "key", "value"):
            found |= affine(f"{block}.attention.attention.{part}", width, width)
        found |= affine(f"{block}.attention.output.dense", width, width)
        found |= affine(f"{block}.mlp.fc1", vision.mlp, width)
        found |= affine(f"{block}.mlp.fc2", width, vision.mlp)
        found |= affine(f"{block}.norm1", width) | affine(f"{block}.norm2", width)
        found |= {f"{block}.layer_scale{k}.lambda1": (width,) for k in (1, 2)}
    return found


def dinov3(vision: Vision, registers: int) -> Shapes:
    """transformers' DINOv3ViTModel: facebook/dinov3-vitb16-pretrain-lvd1689m."""
    width = vision.width
    found: Shapes = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.mask_token": (1, 1, width),
        "embeddings.register_tokens": (1, registers, width),
        "embeddings.patch_embeddings.weight": vision.patches,
        "embeddings.patch_embeddings.bias": (width,),
        **affine("norm", width),
    }
    for n in range(vision.layers):
        block = f"layer.{n}"
        for part in ("q_proj", "v_proj", "o_proj"):
            found |= affine(f"{block}.attention.{part}", width, width)
        found[f"{block}.attention.k_proj.weight"] = (width, width)
        found |= affine(f"{block}.mlp.up_proj", vision.mlp, width)
        found |= affine(f"{block}.mlp.down_proj", width, vision.mlp)
        found |= affine(f"{block}.norm1", width) | affine(f"{block}.norm2", width)
        found |= {f"{block}.layer_scale{k}.lambda1": (width,) for k in (1, 2)}
    return found


def head(width: int, hidden: tuple[int, ...] = (1024, 128, 64, 16)) -> Shapes:
    """LAION's MLP: sac+logos+ava1-l14-linearMSE.pth, and `mlp` of ImageReward."""
    sizes = (width, *hidden, 1)
    found = Shapes()
    for place, into, out in zip((0, 2, 4, 6, 7), sizes, sizes[1:], strict=False):
        found |= affine(f"layers.{place}", out, into)
    return found


def image_reward(text: Text, vision: Vision, dim: int = 256) -> Shapes:
    """ImageReward.pt: BLIP_Pretrain's encoders and projections, and the head."""
    seen, read = "blip.visual_encoder", "blip.text_encoder"
    found: Shapes = {
        f"{seen}.cls_token": (1, 1, vision.width),
        f"{seen}.pos_embed": (1, vision.tokens + 1, vision.width),
        f"{seen}.patch_embed.proj.weight": vision.patches,
        f"{seen}.patch_embed.proj.bias": (vision.width,),
        f"{read}.embeddings.position_ids": (1, text.tokens),
        f"{read}.embeddings.word_embeddings.weight": (text.words, text.width),
        f"{read}.embeddings.position_embeddings.weight": (text.tokens, text.width),
        **affine(f"{seen}.norm", vision.width),
        **affine(f"{read}.embeddings.LayerNorm", text.width),
        **affine("blip.vision_proj", dim, vision.width),
        **affine("blip.text_proj", dim, text.width),
        **{f"mlp.{name}": shape for name, shape in head(text.width).items()},
    }
    for n in range(vision.layers):
        block = f"{seen}.blocks.{n}"
        found |= affine(f"{block}.norm1", vision.width) | affine(f"{block}.norm2", vision.width)
        found |= affine(f"{block}.attn.qkv", 3 * vision.width, vision.width)
        found |= affine(f"{block}.attn.proj", vision.width, vision.width)
        found |= affine(f"{block}.mlp.fc1", vision.mlp, vision.width)
        found |= affine(f"{block}.mlp.fc2", vision.width, vision.mlp)
    for n in range(text.layers):
        found |= bert_block(f"{read}.encoder.layer.{n}", text, crossed=vision.width)
    return found


def bert_block(block: str, text: Text, *, crossed: int = 0) -> Shapes:
    """A layer of BERT; `crossed` is the width of what it attends to besides itself."""
    width, found = text.width, Shapes()
    for kind, into in (("attention", width), ("crossattention", crossed)):
        if into:
            found |= affine(f"{block}.{kind}.self.query", width, width)
            found |= affine(f"{block}.{kind}.self.key", width, into)
            found |= affine(f"{block}.{kind}.self.value", width, into)
            found |= affine(f"{block}.{kind}.output.dense", width, width)
            found |= affine(f"{block}.{kind}.output.LayerNorm", width)
    found |= affine(f"{block}.intermediate.dense", text.mlp, width)
    found |= affine(f"{block}.output.dense", width, text.mlp)
    return found | affine(f"{block}.output.LayerNorm", width)


def rinna(text: Text, vision: Vision, dim: int) -> Shapes:
    """rinna/japanese-clip-vit-b-16: a ViT and a RoBERTa without pooling, two projections."""
    wide = vision.width
    found: Shapes = {
        "logit_scale": (),
        "visual_projection.weight": (dim, wide),
        "text_projection.weight": (dim, text.width),
        "vision_model.embeddings.cls_token": (1, 1, wide),
        "vision_model.embeddings.position_embeddings": (1, vision.tokens + 1, wide),
        "vision_model.embeddings.patch_embeddings.projection.weight": vision.patches,
        "vision_model.embeddings.patch_embeddings.projection.bias": (wide,),
        "text_model.embeddings.word_embeddings.weight": (text.words, text.width),
        "text_model.embeddings.position_embeddings.weight": (text.tokens, text.width),
        "text_model.embeddings.token_type_embeddings.weight": (2, text.width),
        **affine("vision_model.layernorm", wide),
        **affine("text_model.embeddings.LayerNorm", text.width),
    }  # fmt: skip
    for n in range(vision.layers):
        block = f"vision_model.encoder.layer.{n}"
        for part in ("query", "key", "value"):
            found |= affine(f"{block}.attention.attention.{part}", wide, wide)
        found |= affine(f"{block}.attention.output.dense", wide, wide)
        found |= affine(f"{block}.intermediate.dense", vision.mlp, wide)
        found |= affine(f"{block}.output.dense", wide, vision.mlp)
        found |= affine(f"{block}.layernorm_before", wide)
        found |= affine(f"{block}.layernorm_after", wide)
    for n in range(text.layers):
        found |= bert_block(f"text_model.encoder.layer.{n}", text)
    return found


def thrown(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Weights of these shapes: ordinary for layers, near one for norms."""
    dice = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        if name.endswith("position_ids"):
            found[name] = torch.arange(shape[-1]).reshape(shape)
            continue
        into = shape[-1] if len(shape) > 1 else 4
        values = torch.randn(shape, generator=dice) / into**0.5
        norm = len(shape) == 1 and name.endswith("weight")
        found[name] = values + 1 if norm else values
    found.update({name: torch.tensor((shape and [2.3]) or 2.3) for name, shape in shapes.items()
                  if name == "logit_scale"})  # fmt: skip
    return found
