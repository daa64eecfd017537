"""Writes the scorers: clip_a for transformers and for open_clip, clip_b for open_clip."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from samples.train import tokenizer
from samples.train.clip import ResNetClip, VitClip, resnet_config, trained_clip
from samples.train.clip_batches import CLIP_TOKENS
from samples.train.export import METADATA, declare_float32
from samples.train.paths import SCORERS
from samples.train.single_file import Tensors

GREY = [0.5, 0.5, 0.5]
LAYER_PARTS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def write_clips() -> None:
    """Both scorers; half precision, so each form of clip_a loads to the same numbers."""
    vit, resnet = trained_clip("clip_a"), trained_clip("clip_b")
    assert isinstance(vit, VitClip)
    assert isinstance(resnet, ResNetClip)
    write_transformers(vit.module, SCORERS / "clip_a")
    same = open_clip_tensors(vit.module), _vit_config(vit.module)
    write_open_clip(*same, SCORERS / "clip_a_open_clip")
    write_open_clip(resnet.module.state_dict(), resnet_config(), SCORERS / "clip_b")


def write_transformers(model: CLIPModel, folder: Path) -> None:
    """A folder for `CLIPModel` and `CLIPProcessor`."""
    _write_tokenizer(folder)
    size = model.config.vision_config.image_size
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=GREY,
        image_std=GREY,
    )
    processor.save_pretrained(folder)
    model.config.save_pretrained(folder)
    declare_float32(folder / "config.json")
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", METADATA)


def write_open_clip(tensors: Tensors, config: dict[str, Any], folder: Path) -> None:
    """A folder for `open_clip.create_model_and_transforms("local-dir:…")`."""
    _write_tokenizer(folder)
    config["text_cfg"] |= {
        "hf_tokenizer_name": ".",  # open_clip reads the tokenizer of the folder itself
        "tokenizer_kwargs": {"clean": "whitespace"},  # its own cleaning is for web pages
    }
    preprocess = {"mean": GREY, "std": GREY, "interpolation": "bicubic", "resize_mode": "shortest"}
    whole = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(whole, indent=2) + "\n", "utf-8")
    halves = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
    halves = {key: value.contiguous() for key, value in halves.items()}
    save_file(halves, folder / "open_clip_model.safetensors", METADATA)


def _write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    words = CLIPTokenizer.from_pretrained(tokenizer.FOLDER, model_max_length=CLIP_TOKENS)
    words.save_pretrained(folder)
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(tokenizer.FOLDER / name, folder / name)


def open_clip_tensors(model: CLIPModel) -> Tensors:
    """The ViT's tensors under open_clip's names; query, key and value become one."""
    tensors = model.state_dict()
    renamed: Tensors = {
        "token_embedding.weight": tensors["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": tensors["text_model.embeddings.position_embedding.weight"],
        "text_projection": tensors["text_projection.weight"].T,
        "logit_scale": tensors["logit_scale"],
        "visual.class_embedding": tensors["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": tensors["vision_model.embeddings.position_embedding.weight"],
        "visual.conv1.weight": tensors["vision_model.embeddings.patch_embedding.weight"],
        "visual.proj": tensors["visual_projection.weight"].T,
    }
    norms = {
        "ln_final": "text_model.final_layer_norm",
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
    }
    for kind in ("weight", "bias"):
        renamed |= {f"{new}.{kind}": tensors[f"{old}.{kind}"] for new, old in norms.items()}
    for new, old in (("", "text_model"), ("visual.", "vision_model")):
        layers = getattr(model, old).config.num_hidden_layers
        for layer in range(layers):
            here, there = f"{old}.encoder.layers.{layer}", f"{new}transformer.resblocks.{layer}"
            renamed |= _layer(tensors, here, there)
    return renamed


def _layer(tensors: Tensors, old: str, new: str) -> Tensors:
    renamed: Tensors = {}
    for kind in ("weight", "bias"):
        parts = [tensors[f"{old}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
        renamed[f"{new}.attn.in_proj_{kind}"] = torch.cat(parts)
        for part, name in LAYER_PARTS.items():
            renamed[f"{new}.{name}.{kind}"] = tensors[f"{old}.{part}.{kind}"]
    return renamed


def _vit_config(model: CLIPModel) -> dict[str, Any]:
    text, vision = model.config.text_config, model.config.vision_config
    return {
        "embed_dim": model.config.projection_dim,
        "vision_cfg": {
            "image_size": vision.image_size,
            "layers": vision.num_hidden_layers,
            "width": vision.hidden_size,
            "head_width": vision.hidden_size // vision.num_attention_heads,
            "mlp_ratio": vision.intermediate_size / vision.hidden_size,
            "patch_size": vision.patch_size,
        },
        "text_cfg": {
            "context_length": text.max_position_embeddings,
            "vocab_size": text.vocab_size,
            "width": text.hidden_size,
            "heads": text.num_attention_heads,
            "layers": text.num_hidden_layers,
            "mlp_ratio": text.intermediate_size / text.hidden_size,
        },
    }
