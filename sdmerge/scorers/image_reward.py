"""ImageReward: human preference, from a BLIP that reads the caption while it looks."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# transformers is not typed where it is called here

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sdmerge.errors import FileError
from sdmerge.scoring.batch import Batch
from sdmerge.scoring.heads import linear_head
from sdmerge.scoring.loader import Loader, weights_file
from sdmerge.scoring.preprocess import Transform
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import loading

_CHECKPOINT = "THUDM/ImageReward/ImageReward.pt"
_TOKENIZER = "google-bert/bert-base-uncased"
MEAN, STD = 0.16717362830052426, 1.0333394966054072
"""Of the head's numbers, as ImageReward.py has them."""
_TOKENS = 35
_HEAD_WIDTH = 64
_CHUNK = 32
_UNUSED = re.compile(r"blip\.(vision_proj|text_proj)\.|.*\.position_ids$")

_VISION = (
    (r"^cls_token$", "embeddings.class_embedding"),
    (r"^pos_embed$", "embeddings.position_embedding"),
    (r"^patch_embed\.proj\.", "embeddings.patch_embedding."),
    (r"^blocks\.(\d+)\.norm([12])\.", r"encoder.layers.\1.layer_norm\2."),
    (r"^blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.\1.self_attn.qkv."),
    (r"^blocks\.(\d+)\.attn\.proj\.", r"encoder.layers.\1.self_attn.projection."),
    (r"^blocks\.(\d+)\.mlp\.", r"encoder.layers.\1.mlp."),
    (r"^norm\.", "post_layernorm."),
)
"""BLIP's names of its ViT, and transformers' names of the same tensors."""


@dataclass(frozen=True, slots=True)
class Reward:
    """BLIP's two encoders and the head."""

    vision: nn.Module
    text: nn.Module
    head: nn.Module
    tokenizer: Any
    transform: Transform
    device: str

    def __call__(self, levels: Tensor, captions: list[str]) -> Tensor:
        """The rewards [n] of pictures uint8 [n, 3, h, w] for their captions."""
        words = self.tokenizer(
            captions, padding="max_length", truncation=True, max_length=_TOKENS, return_tensors="pt"
        )
        seen = self.vision(pixel_values=self.transform(levels).to(self.device)).last_hidden_state
        read = self.text(
            input_ids=words["input_ids"].to(self.device),
            attention_mask=words["attention_mask"].to(self.device),
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:2], device=self.device).long(),
        )
        return (self.head(read.last_hidden_state[:, 0]).squeeze(-1) - MEAN) / STD


def load(loader: Loader, *, model: str, tokenizer: str) -> Reward:
    """ImageReward's weights, and BERT's tokenizer."""
    found = loader.find(model)
    file = weights_file(found, "ImageReward") if found.is_dir() else found
    beside = (file.parent / "tokenizer_config.json").is_file()
    words = file.parent if beside else loader.find(tokenizer)
    return loading(file, lambda: _open(loader, file, words))


def _open(loader: Loader, file: Path, words: Path) -> Reward:
    from transformers import AutoTokenizer

    weights = {key: rows for key, rows in loader.weights(file).items() if not _UNUSED.match(key)}
    seen, read, head = (
        {key.removeprefix(part): rows for key, rows in weights.items() if key.startswith(part)}
        for part in ("blip.visual_encoder.", "blip.text_encoder.", "mlp.")
    )
    if len(seen) + len(read) + len(head) != len(weights) or not (seen and read and head):
        what = "is no ImageReward: it should hold blip.visual_encoder, blip.text_encoder and mlp"
        raise FileError(what, where=str(file))
    vision = vision_model(seen).to(loader.device)
    text = text_model(read, width=seen["cls_token"].shape[-1]).to(loader.device)
    side = (vision.config.image_size,) * 2  # pyright: ignore[reportAttributeAccessIssue]
    reader = AutoTokenizer.from_pretrained(words)
    transform = Transform(side, side, to_even=True)  # pyright: ignore[reportArgumentType]
    mlp = linear_head(head, file).to(loader.device)
    return Reward(vision, text, mlp, reader, transform, loader.device)


def vision_model(weights: Mapping[str, Tensor]) -> nn.Module:
    """BLIP's ViT of these weights, whose shapes say how large it is."""
    from transformers import BlipVisionConfig, BlipVisionModel

    width, _, patch, _ = weights["patch_embed.proj.weight"].shape
    config = BlipVisionConfig(
        hidden_size=width,
        intermediate_size=weights["blocks.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=_count(weights, r"blocks\.(\d+)\."),
        num_attention_heads=width // _HEAD_WIDTH,
        image_size=patch * round((weights["pos_embed"].shape[1] - 1) ** 0.5),
        patch_size=patch,
        layer_norm_eps=1e-6,
        hidden_act="gelu",
    )
    return _filled(BlipVisionModel(config), {_renamed(key): rows for key, rows in weights.items()})


def text_model(weights: Mapping[str, Tensor], *, width: int) -> nn.Module:
    """BLIP's BERT with attention to a picture of vectors [n, tokens, width]."""
    from transformers import BlipTextConfig
    from transformers.models.blip.modeling_blip_text import BlipTextModel

    words, own = weights["embeddings.word_embeddings.weight"].shape
    config = BlipTextConfig(
        vocab_size=words,
        hidden_size=own,
        encoder_hidden_size=width,
        intermediate_size=weights["encoder.layer.0.intermediate.dense.weight"].shape[0],
        num_hidden_layers=_count(weights, r"encoder\.layer\.(\d+)\."),
        num_attention_heads=own // _HEAD_WIDTH,
        max_position_embeddings=weights["embeddings.position_embeddings.weight"].shape[0],
        layer_norm_eps=1e-12,
        hidden_act="gelu",
        is_decoder=True,
        pad_token_id=0,
    )
    return _filled(BlipTextModel(config, add_pooling_layer=False), weights)


def _filled(network: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    # position_ids are counted, not learnt, and some versions do not save them
    network.load_state_dict({**_counted(network), **weights})
    return network.float().eval().requires_grad_(False)


def _counted(network: nn.Module) -> dict[str, Tensor]:
    own = network.state_dict()
    return {key: rows for key, rows in own.items() if key.endswith("position_ids")}


def _renamed(key: str) -> str:
    for pattern, name in _VISION:
        key, found = re.subn(pattern, name, key)
        if found:
            break
    return key


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    return 1 + max(int(found[1]) for key in weights if (found := re.match(pattern, key)))


@scorer(
    title="ImageReward v1.0", paper="https://arxiv.org/abs/2304.05977", checkpoint=_CHECKPOINT,
    needs=("caption",), load=load, range=(-2.0, 2.0), worst=-10.0,
)  # fmt: skip
def image_reward(
    batch: Batch, reward: Reward, *, model: str = _CHECKPOINT, tokenizer: str = _TOKENIZER  # noqa: ARG001  the reward model is opened by them
) -> Tensor:  # fmt: skip
    """Human preference for a picture given its caption, about N(0, 1) over prompts.

    Xu et al., "ImageReward", 2023: a BLIP (ViT-L/16 and BERT with cross attention to the picture)
    whose first token goes through linear layers 768 → 1024 → 128 → 64 → 16 → 1, then is centred
    and scaled. The published file is a pickle: read with --allow-pickle.

    model: The weights, a folder with them, or OWNER/NAME/FILE of the hub.
    tokenizer: BERT's tokenizer, if none lies beside the weights.
    """
    parts = zip(
        batch.levels.split(_CHUNK),
        [list(batch.captions[at : at + _CHUNK]) for at in range(0, len(batch), _CHUNK)],
        strict=True,
    )
    return torch.cat([reward(levels, captions) for levels, captions in parts])
