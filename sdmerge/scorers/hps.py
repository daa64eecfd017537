"""HPS v2.1: human preference, from a CLIP that was tuned on it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# open_clip is not typed where it is called here

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from sdmerge.errors import FileError
from sdmerge.scoring.batch import Batch
from sdmerge.scoring.loader import Loader, read_json, weights_file
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, cosines, loading, of_open_clip

_CHECKPOINT = "xswu/HPSv2/HPS_v2.1_compressed.pt"
_PREPROCESS = {"resize_mode": "longest"}
"""The longest side gets 224 pixels and black is added, as hpsv2's own `image_transform` does."""


def load(loader: Loader, *, model: str) -> Towers:
    """HPS's towers: a ViT-H-14 of open_clip, or what an open_clip_config.json beside it says."""
    found = loader.find(model)
    file = weights_file(found, "HPS_v2.1_compressed", "HPS_v2.1") if found.is_dir() else found
    return loading(file, lambda: _open(loader, file))


def _open(loader: Loader, file: Path) -> Towers:
    import open_clip

    config, name = file.parent / "open_clip_config.json", "ViT-H-14"
    if config.is_file():
        fields: dict[str, Any] = read_json(config)["model_cfg"]
        network = open_clip.CLIP(**fields)
        tokenizer = open_clip.get_tokenizer(f"local-dir:{file.parent}")
    else:
        network = open_clip.create_model(name, load_weights=False)
        tokenizer = open_clip.get_tokenizer(name)
    weights = loader.weights(file)
    differing = network.state_dict().keys() ^ weights.keys()
    if differing:
        some = ", ".join(sorted(differing)[:3])
        what = f"is no HPS: {len(differing)} tensors are missing or too many ({some}, …)"
        raise FileError(what, where=str(file))
    network.load_state_dict(weights)
    return of_open_clip(loader, network.float().to(loader.device), tokenizer, _PREPROCESS)


@scorer(
    title="HPS v2.1", paper="https://arxiv.org/abs/2306.09341", checkpoint=_CHECKPOINT,
    needs=("caption",), load=load, range=(0.2, 0.35), worst=-1.0,
)  # fmt: skip
def hps(batch: Batch, towers: Towers, *, model: str = _CHECKPOINT) -> Tensor:  # noqa: ARG001  `towers` are opened by it
    """Human preference: cos(picture, caption) of a CLIP ViT-H/14 that was tuned on choices.

    Wu et al., "Human Preference Score v2", 2023. Compare within one prompt only. The published file
    is a pickle with the weights under `state_dict`: read with --allow-pickle. hpsv2 computes in
    half precision, this in float32.

    model: The weights, or a folder that holds them, or OWNER/NAME/FILE of the hub.
    """
    return cosines(towers.pictures(batch.levels), towers.texts(batch.captions))
