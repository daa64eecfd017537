"""DINO: how much a picture is like its reference, in what it shows."""

# pyright: reportUnknownVariableType=false
# transformers is not typed where it is called here

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.loader import Loader, read_json
from sdmerge.scoring.preprocess import Transform, from_processor
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import check_code, cosines, load_model, loading, unit

_CHECKPOINT = "facebook/dinov2-base"
_CHUNK = 32


@dataclass(frozen=True, slots=True)
class Dino:
    """A vision transformer; a picture's vector is its class token after the last norm."""

    network: Any
    transform: Transform
    device: str

    def pictures(self, pictures: Tensor | Sequence[Tensor]) -> Tensor:
        """Unit vectors [n, d] of pictures uint8 [3, h, w]."""
        parts = [list(pictures)[at : at + _CHUNK] for at in range(0, len(pictures), _CHUNK)]
        return unit(torch.cat([self._encode(part) for part in parts]))

    def _encode(self, part: list[Tensor]) -> Tensor:
        pixels = self.transform(part).to(self.device)
        return self.network(pixel_values=pixels).last_hidden_state[:, 0]


def load(loader: Loader, *, model: str) -> Dino:
    """DINO's folder for transformers."""
    folder = loader.find(model)
    loader.check_weights(folder)
    return loading(folder, lambda: _open(loader, folder))


def _open(loader: Loader, folder: Path) -> Dino:
    network = load_model(loader, folder, own_code=check_code(loader, folder))
    transform = from_processor(read_json(folder / "preprocessor_config.json"))
    return Dino(network, transform, loader.device)


@scorer(
    title="DINO similarity", paper="https://arxiv.org/abs/2304.07193", checkpoint=_CHECKPOINT,
    needs=("reference",), load=load, range=(0.0, 1.0), worst=-1.0,
)  # fmt: skip
def dino(batch: Batch, network: Dino, *, model: str = _CHECKPOINT) -> Tensor:  # noqa: ARG001  the network is opened by it
    """How much a picture is like its reference, subject before style: cos of the class tokens.

    With DINOv2 (Oquab et al., 2023) or DINOv3 (facebook/dinov3-vitb16-pretrain-lvd1689m, which asks
    for a licence). Ruiz et al., "DreamBooth", 2022, introduced the measure with DINO's ViT-S/16.

    model: A DINOv2 or DINOv3 for transformers: a folder, or a name on the hub.
    """
    return cosines(network.pictures(batch.levels), network.pictures(batch.references))
