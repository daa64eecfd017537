"""Diversity: how different the pictures of one prompt are."""

from __future__ import annotations

from torch import Tensor

from sdmerge.errors import ScorerError
from sdmerge.scoring.batch import Batch
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, open_towers

_CHECKPOINT = "openai/clip-vit-base-patch32"


@scorer(
    title="Diversity", paper="https://arxiv.org/abs/2103.00020", checkpoint=_CHECKPOINT, of="set",
    load=open_towers, range=(0.0, 0.5), worst=0.0,
)  # fmt: skip
def diversity(batch: Batch, towers: Towers, *, model: str = _CHECKPOINT) -> Tensor:  # noqa: ARG001  `towers` are opened by it
    """How different the pictures of one prompt are: the mean of 1 - cos over all pairs.

    A picture's own number is its mean distance to the others, so that the mean over the pictures
    is the mean over the pairs. No score per picture sees that a model draws one picture only.

    model: A CLIP for open_clip or transformers: a folder, or a name on the hub.
    """
    count = len(batch)
    if count < 2:
        hint = "Draw several pictures of each prompt: --seeds 4."
        raise ScorerError("diversity compares the pictures of one prompt", hint=hint)
    vectors = towers.pictures(batch.levels)
    near = vectors @ vectors.T
    return 1 - (near.sum(dim=1) - near.diagonal()) / (count - 1)
