"""CLIP: how well a picture fits its caption, as CLIPScore and as a plain cosine."""

from __future__ import annotations

from torch import Tensor

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, cosines, open_towers

_CHECKPOINT = "openai/clip-vit-base-patch32"


def _fits(batch: Batch, towers: Towers, prefix: str) -> Tensor:
    captions = [prefix + caption for caption in batch.captions]
    return cosines(towers.pictures(batch.levels), towers.texts(captions))


@scorer(
    title="CLIPScore", paper="https://arxiv.org/abs/2104.08718", checkpoint=_CHECKPOINT,
    needs=("caption",), load=open_towers, range=(0.4, 1.0), worst=0.0,
)  # fmt: skip
def clip(
    batch: Batch, towers: Towers, *, model: str = _CHECKPOINT, prefix: str = ""  # noqa: ARG001  `towers` are opened by it
) -> Tensor:  # fmt: skip
    """How well a picture fits its caption: 2.5·max(cos(picture, caption), 0).

    Hessel et al., "CLIPScore", 2021. The paper puts "A photo depicts " before every caption; here
    that is left to you, because captions need not be English nor pictures photos. torchmetrics'
    CLIPScore is max(100·cos, 0): numbers of the two are not comparable.

    model: A CLIP for open_clip or transformers: a folder, or a name on the hub.
    prefix: Words before every caption.
    """
    return 2.5 * _fits(batch, towers, prefix).clamp(min=0)


@scorer(
    title="CLIP-T (cosine)", paper="https://arxiv.org/abs/2103.00020", checkpoint=_CHECKPOINT,
    needs=("caption",), load=open_towers, range=(0.15, 0.4), worst=-1.0,
)  # fmt: skip
def clip_cosine(
    batch: Batch, towers: Towers, *, model: str = _CHECKPOINT, prefix: str = ""  # noqa: ARG001  `towers` are opened by it
) -> Tensor:  # fmt: skip
    """How well a picture fits its caption: cos(picture, caption), as CLIP gives it.

    model: A CLIP for open_clip or transformers: a folder, or a name on the hub.
    prefix: Words before every caption.
    """
    return _fits(batch, towers, prefix)
