"""CLIP-I: how much a picture is like its reference."""

from __future__ import annotations

from torch import Tensor

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, cosines, open_towers

_CHECKPOINT = "openai/clip-vit-base-patch32"


@scorer(
    title="CLIP-I", paper="https://arxiv.org/abs/2208.12242", checkpoint=_CHECKPOINT,
    needs=("reference",), load=open_towers, range=(0.4, 1.0), worst=-1.0,
)  # fmt: skip
def clip_image(batch: Batch, towers: Towers, *, model: str = _CHECKPOINT) -> Tensor:  # noqa: ARG001  `towers` are opened by it
    """How much a picture is like its reference, in content and style: cos(picture, reference).

    Ruiz et al., "DreamBooth", 2022.

    model: A CLIP for open_clip or transformers: a folder, or a name on the hub.
    """
    return cosines(towers.pictures(batch.levels), towers.pictures(batch.references))
