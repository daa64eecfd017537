"""CLIP-IQA: quality as an antonym pair, from any CLIP."""

from __future__ import annotations

from torch import Tensor

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, open_towers

_CHECKPOINT = "openai/clip-vit-base-patch16"


@scorer(
    title="CLIP-IQA", paper="https://arxiv.org/abs/2207.12396", checkpoint=_CHECKPOINT,
    load=open_towers, range=(0.0, 1.0),
)  # fmt: skip
def clip_iqa(
    batch: Batch, towers: Towers, *, model: str = _CHECKPOINT,  # noqa: ARG001  `towers` are opened by it
    good: str = "Good photo.", bad: str = "Bad photo.",
) -> Tensor:  # fmt: skip
    """How much more a picture is like "Good photo." than like "Bad photo.": a softmax of the two.

    Wang et al., "Exploring CLIP for assessing the look and feel of images", 2022, with the
    model's own temperature. The paper removes the position embedding of a ResNet-50; here the
    CLIP stays as it is, so that any will do.

    model: A CLIP for open_clip or transformers: a folder, or a name on the hub.
    good: Words for a good picture.
    bad: The opposite.
    """
    pair = towers.texts([good, bad])
    logits = towers.scale * (towers.pictures(batch.levels) @ pair.T)
    return logits.softmax(dim=-1)[:, 0]
