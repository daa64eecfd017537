"""Japanese CLIPs: captions judged in Japanese, by models that were trained in it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# transformers is not typed where it is called here

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.loader import Loader, read_json, weights_file
from sdmerge.scoring.preprocess import Transform
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, check_complete, cosines, loading, open_towers

_LINE = "line-corporation/clip-japanese-base"
_RECRUIT = "recruit-jp/japanese-clip-vit-b-32-roberta-base"
_RINNA = "rinna/japanese-clip-vit-b-16"
_RINNA_TOKENIZER = "rinna/japanese-roberta-base"
_LONGEST = 77


@scorer(
    title="LY Corporation's Japanese CLIP", paper="https://techblog.lycorp.co.jp/ja/20240514b",
    checkpoint=_LINE, needs=("caption",), load=open_towers, range=(0.0, 0.4), worst=-1.0,
)  # fmt: skip
def clip_line(batch: Batch, towers: Towers, *, model: str = _LINE) -> Tensor:  # noqa: ARG001  `towers` are opened by it
    """How well a picture fits its Japanese caption: cos(picture, caption) by LY's CLIP.

    The model brings Python code of its own (`CLYPModel`), which runs only with
    --trust-remote-code: get_text_features(**tokenizer(texts)) and get_image_features(pixels).

    model: The model's folder, or its name on the hub; clip-japanese-base-v2 is read alike.
    """
    return _cosine(batch, towers)


@scorer(
    title="Recruit's Japanese CLIP", paper="https://blog.recruit.co.jp/data/articles/japanese-clip",
    checkpoint=_RECRUIT, needs=("caption",), load=open_towers, range=(0.0, 0.4), worst=-1.0,
)  # fmt: skip
def clip_recruit(batch: Batch, towers: Towers, *, model: str = _RECRUIT) -> Tensor:  # noqa: ARG001  `towers` are opened by it
    """How well a picture fits its Japanese caption: cos(picture, caption) by Recruit's CLIP.

    The model brings Python code of its own, which runs only with --trust-remote-code. Its
    repository could not be read when this was written: that its tokenizer and its image processor
    are called like those of LY's CLIP is an assumption. Compare with its own example first.

    model: The model's folder, or its name on the hub.
    """
    return _cosine(batch, towers)


def load_rinna(loader: Loader, *, model: str, tokenizer: str) -> Towers:
    """The towers of rinna's CLIP: a ViT and a RoBERTa, their first tokens projected."""
    folder = loader.find(model)
    own = any((folder / name).is_file() for name in ("spiece.model", "tokenizer.json"))
    words = folder if own else loader.find(tokenizer)
    return loading(folder, lambda: _open_rinna(loader, folder, words))


def _open_rinna(loader: Loader, folder: Path, words: Path) -> Towers:
    from transformers import AutoTokenizer

    weights = loader.weights(weights_file(folder, "model", "pytorch_model"))
    config = read_json(folder / "config.json")
    vision = _part(folder, "vision_model.", config["vision_config"], weights).to(loader.device)
    text = _part(folder, "text_model.", config["text_config"], weights).to(loader.device)
    seen, said = (
        weights[f"{name}_projection.weight"].float().to(loader.device)
        for name in ("visual", "text")
    )
    reader: Any = AutoTokenizer.from_pretrained(words)

    def encode_texts(lines: list[str]) -> Tensor:
        inputs = {name: ids.to(loader.device) for name, ids in rinna_tokens(reader, lines).items()}
        return text(**inputs).last_hidden_state[:, 0] @ said.T

    side = int(config["vision_config"].get("image_size", 224))
    return Towers(
        Transform((side, side), (side, side), resample="bilinear", to_even=True),
        lambda pixels: vision(pixel_values=pixels).last_hidden_state[:, 0] @ seen.T,
        encode_texts,
        loader.device,
        math.exp(float(weights["logit_scale"])),
    )


def _part(
    folder: Path, head: str, config: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> nn.Module:
    """One of the two encoders, without a pooling layer, as rinna's code makes it."""
    from transformers import AutoConfig, AutoModel

    fields = {key: value for key, value in config.items() if key != "model_type"}
    chosen = AutoConfig.for_model(config["model_type"], **fields)
    own = {key.removeprefix(head): rows for key, rows in weights.items() if key.startswith(head)}
    network_class = type(AutoModel.from_config(chosen, add_pooling_layer=False))
    network, info = network_class.from_pretrained(
        None, config=chosen, state_dict=own, add_pooling_layer=False, dtype=torch.float32,
        output_loading_info=True,
    )  # fmt: skip
    check_complete(folder, info["missing_keys"])
    return network.eval().requires_grad_(False)


def rinna_tokens(tokenizer: Any, lines: list[str]) -> dict[str, Tensor]:
    """As rinna's `tokenize`: 77 tokens with padding, one [CLS] in front, positions from 0."""
    padded = tokenizer(
        [line.lower() for line in lines],
        max_length=_LONGEST,
        padding="max_length",
        truncation=True,
        add_special_tokens=False,
    )
    first = tokenizer.cls_token_id
    return {
        "input_ids": torch.tensor([[first, *row] for row in padded["input_ids"]]),
        "attention_mask": torch.tensor([[1, *row] for row in padded["attention_mask"]]),
        "position_ids": torch.arange(1 + _LONGEST).repeat(len(lines), 1),
    }


@scorer(
    title="rinna's Japanese CLIP", paper="https://rinna.co.jp/news/2022/05/20220512.html",
    checkpoint=_RINNA, needs=("caption",), load=load_rinna, range=(0.0, 0.6), worst=-1.0,
)  # fmt: skip
def clip_rinna(
    batch: Batch, towers: Towers, *, model: str = _RINNA, tokenizer: str = _RINNA_TOKENIZER  # noqa: ARG001  `towers` are opened by them
) -> Tensor:  # fmt: skip
    """How well a picture fits its Japanese caption: cos(picture, caption) by rinna's CLIP.

    Sawada et al., 2022. Built here of a ViT and a RoBERTa; none of rinna's code is run. The
    published weights are a pickle: read with --allow-pickle.

    model: The model's folder, or its name on the hub.
    tokenizer: Where its tokenizer lies, if not in the model's folder.
    """
    return _cosine(batch, towers)


def _cosine(batch: Batch, towers: Towers) -> Tensor:
    return cosines(towers.pictures(batch.levels), towers.texts(batch.captions))
