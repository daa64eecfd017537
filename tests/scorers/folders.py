"""Folders of published checkpoints in miniature: their names, their files, random weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from scorers import layouts
from scorers.layouts import Text, Vision

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "scorers"
TOKENIZER = ("merges.txt", "tokenizer.json", "tokenizer_config.json", "vocab.json")
SEEN = Vision(width=64, layers=2, mlp=96, side=32, patch=8)
READ = Text(width=64, layers=2, mlp=96, words=1341, tokens=32)
DIM = 48
END = 1340
HEADS = 2
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "blue", "circle", "square", "on")


def write(folder: Path, weights: Mapping[str, Tensor], **files: Any) -> Path:
    """Weights as model.safetensors, and JSON files by their stems."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: rows.contiguous() for name, rows in weights.items()}, folder / "model.safetensors"
    )
    for stem, data in files.items():
        (folder / f"{stem}.json").write_text(json.dumps(data), "utf-8")
    return folder


def clip_tokenizer(folder: Path, source: str = "clip_a") -> Path:
    """The samples' tokenizer of CLIP's kind."""
    for name in TOKENIZER:
        shutil.copyfile(SAMPLES / source / name, folder / name)
    return folder


def word_tokenizer(folder: Path, *, special: bool = True) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words, saved to the folder; `special`: [CLS] before, [SEP] after."""
    from tokenizers.processors import TemplateProcessing

    table = {word: place for place, word in enumerate(WORDS)}
    made = Tokenizer(models.WordLevel(table, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        made.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_max_length=512,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(folder)
    return fast


def clip_config(act: str = "quick_gelu") -> dict[str, Any]:
    text = {
        "hidden_size": READ.width, "num_hidden_layers": READ.layers, "vocab_size": READ.words,
        "intermediate_size": READ.mlp, "max_position_embeddings": READ.tokens,
        "num_attention_heads": HEADS, "eos_token_id": END, "bos_token_id": END - 1,
        "pad_token_id": END, "hidden_act": act, "projection_dim": DIM,
    }  # fmt: skip
    return {
        "model_type": "clip", "architectures": ["CLIPModel"], "projection_dim": DIM,
        "text_config": text, "vision_config": vision_config(act) | {"projection_dim": DIM},
    }  # fmt: skip


def vision_config(act: str) -> dict[str, Any]:
    return {
        "hidden_size": SEEN.width, "num_hidden_layers": SEEN.layers, "image_size": SEEN.side,
        "intermediate_size": SEEN.mlp, "patch_size": SEEN.patch, "num_attention_heads": HEADS,
        "hidden_act": act,
    }  # fmt: skip


def processor(kind: str, side: int, **more: Any) -> dict[str, Any]:
    return {
        "image_processor_type": kind, "resample": 3, "size": {"shortest_edge": side},
        "crop_size": {"height": side, "width": side}, **more,
    }  # fmt: skip


def clip(folder: Path, seed: int = 0) -> tuple[Path, dict[str, Tensor]]:
    """A CLIP of transformers; published files also hold the positions that are counted."""
    weights = layouts.thrown(layouts.clip(READ, SEEN, DIM), seed)
    counted = {
        "text_model.embeddings.position_ids": torch.arange(READ.tokens)[None],
        "vision_model.embeddings.position_ids": torch.arange(SEEN.tokens + 1)[None],
    }
    write(
        folder, weights | counted, config=clip_config(),
        preprocessor_config=processor("CLIPImageProcessor", SEEN.side),
    )  # fmt: skip
    return clip_tokenizer(folder), weights


def open_clip(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """HPS: open_clip's weights in a pickle under `state_dict`, the size beside it."""
    weights = layouts.thrown(layouts.open_clip(READ, SEEN, DIM))
    config = json.loads((SAMPLES / "clip_a_open_clip" / "open_clip_config.json").read_text("utf-8"))
    config["model_cfg"] = {
        "embed_dim": DIM,
        "vision_cfg": {
            "image_size": SEEN.side, "layers": SEEN.layers, "width": SEEN.width,
            "patch_size": SEEN.patch, "head_width": SEEN.width // HEADS,
            "mlp_ratio": SEEN.mlp / SEEN.width,
        },
        "text_cfg": {
            "context_length": READ.tokens, "vocab_size": READ.words, "width": READ.width,
            "heads": HEADS, "layers": READ.layers, "mlp_ratio": READ.mlp / READ.width,
            "hf_tokenizer_name": ".", "tokenizer_kwargs": {"clean": "whitespace"},
        },
    }  # fmt: skip
    folder.mkdir(parents=True)
    torch.save({"state_dict": weights, "epoch": 3}, folder / "HPS_v2.1_compressed.pt")
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    return clip_tokenizer(folder, "clip_a_open_clip"), weights


def siglip(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """A SigLIP 2 of one size; its tokenizer is Gemma's, here one of whole words."""
    text = Text(width=64, layers=2, mlp=96, words=len(WORDS), tokens=64)
    weights = layouts.thrown(layouts.siglip(text, SEEN))
    config = {
        "model_type": "siglip", "architectures": ["SiglipModel"],
        "text_config": {
            "hidden_size": text.width, "num_hidden_layers": text.layers, "vocab_size": text.words,
            "intermediate_size": text.mlp, "max_position_embeddings": text.tokens,
            "num_attention_heads": HEADS, "projection_size": SEEN.width,
        },
        "vision_config": vision_config("gelu_pytorch_tanh"),
    }  # fmt: skip
    means = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    size = {"height": SEEN.side, "width": SEEN.side}
    kind = {"image_processor_type": "SiglipImageProcessor", "resample": 2, "size": size, **means}
    write(folder, weights, config=config, preprocessor_config=kind)
    word_tokenizer(folder)
    return folder, weights


def dinov2(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """A DINOv2: trained and asked at one size here."""
    vision = Vision(width=64, layers=2, mlp=256, side=32, patch=8)
    weights = layouts.thrown(layouts.dinov2(vision))
    config = vision_config("gelu") | {
        "model_type": "dinov2", "architectures": ["Dinov2Model"], "mlp_ratio": 4,
    }  # fmt: skip
    kind = processor("BitImageProcessor", 32, image_mean=[0.485, 0.456, 0.406],
                     image_std=[0.229, 0.224, 0.225])  # fmt: skip
    return write(folder, weights, config=config, preprocessor_config=kind), weights


def dinov3(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """A DINOv3, with registers and rotary positions."""
    weights = layouts.thrown(layouts.dinov3(SEEN, registers=4))
    config = vision_config("gelu") | {
        "model_type": "dinov3_vit", "architectures": ["DINOv3ViTModel"], "num_register_tokens": 4,
    }  # fmt: skip
    kind = {
        "image_processor_type": "DINOv3ViTImageProcessorFast", "resample": 2,
        "size": {"height": 32, "width": 32}, "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    return write(folder, weights, config=config, preprocessor_config=kind), weights


BLIP_SEEN = Vision(width=128, layers=2, mlp=96, side=32, patch=8)
BLIP_READ = Text(width=64, layers=2, mlp=96, words=len(WORDS), tokens=40)


def image_reward(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """ImageReward.pt and BERT's tokenizer beside it."""
    weights = layouts.thrown(layouts.image_reward(BLIP_READ, BLIP_SEEN))
    folder.mkdir(parents=True)
    torch.save(weights, folder / "ImageReward.pt")
    word_tokenizer(folder)
    return folder, weights


RINNA_READ = Text(width=64, layers=2, mlp=96, words=len(WORDS), tokens=90)


def rinna(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """rinna's folder: a config that names both encoders, a pickle, a tokenizer."""
    weights = layouts.thrown(layouts.rinna(RINNA_READ, SEEN, DIM))
    text = {
        "model_type": "roberta", "hidden_size": 64, "num_hidden_layers": 2,
        "vocab_size": len(WORDS),
        "intermediate_size": 96, "max_position_embeddings": 90, "num_attention_heads": HEADS,
        "type_vocab_size": 2, "pad_token_id": 0, "layer_norm_eps": 1e-5,
    }  # fmt: skip
    config = {
        "model_type": "clip", "projection_dim": DIM, "text_config": text,
        "vision_config": {"model_type": "vit", **vision_config("gelu")},
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    torch.save(weights, folder / "pytorch_model.bin")
    word_tokenizer(folder, special=False)
    return folder, weights
