"""Directional similarity: whether a picture changed the way the words say."""

from __future__ import annotations

from torch import Tensor

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, cosines, open_towers, unit

_CHECKPOINT = "openai/clip-vit-base-patch32"


@scorer(
    title="CLIP directional similarity", paper="https://arxiv.org/abs/2108.00946",
    checkpoint=_CHECKPOINT, needs=("caption", "source"), load=open_towers, range=(-0.1, 0.4),
    worst=-1.0,
)  # fmt: skip
def directional(
    batch: Batch, towers: Towers, *, model: str = _CHECKPOINT, before: str = ""  # noqa: ARG001  `towers` are opened by it
) -> Tensor:  # fmt: skip
    """Whether a picture left its source the way the words say: cos(E(I')-E(I), E(T')-E(T)).

    Gal et al., "StyleGAN-NADA", 2021. I is the reference: the picture that this one
    was made from, such as the same seed without a LoRA. T' is the caption, T what the reference
    shows. A picture that did not change, or a caption that says nothing new, scores 0.

    model: A CLIP for open_clip or transformers: a folder, or a name on the hub.
    before: What the references show, in words; empty: each line's prompt.
    """
    said = [before] * len(batch) if before else list(batch.prompts)
    change = towers.pictures(batch.levels) - towers.pictures(batch.references)
    wanted = towers.texts(batch.captions) - towers.texts(said)
    return cosines(unit(change), unit(wanted))
