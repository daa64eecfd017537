"""SigLIP 2: a multilingual judge of picture and caption."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, cosines, open_towers

_CHECKPOINT = "google/siglip2-base-patch16-224"


@scorer(
    title="SigLIP 2", paper="https://arxiv.org/abs/2502.14786", checkpoint=_CHECKPOINT,
    needs=("caption",), load=open_towers, range=(0.0, 0.2), worst=-1.0,
)  # fmt: skip
def siglip2(
    batch: Batch, towers: Towers, *, model: str = _CHECKPOINT,  # noqa: ARG001  `towers` are opened by it
    output: Literal["cosine", "probability"] = "cosine",
) -> Tensor:  # fmt: skip
    """How well a picture fits its caption, in many languages, Japanese among them.

    Tschannen et al., "SigLIP 2", 2025. The probability is σ(scale·cos + bias), SigLIP's own: it is
    near zero for all but the best pictures, so that the cosine is the better thing to search by.
    Of transformers' models those of a fixed size are read, not the ones called NaFlex.

    model: A SigLIP for open_clip or transformers: a folder, or a name on the hub.
    output: The cosine, or the probability that caption and picture belong together.
    """
    found = cosines(towers.pictures(batch.levels), towers.texts(batch.captions))
    return found if output == "cosine" else (towers.scale * found + towers.bias).sigmoid()
