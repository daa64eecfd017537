"""PickScore: what people picked."""

from __future__ import annotations

from torch import Tensor

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, cosines, loading, transformers_towers

_CHECKPOINT = "yuvalkirstain/PickScore_v1"
_PROCESSOR = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"


def load(loader: Loader, *, model: str, processor: str) -> Towers:
    """PickScore's towers; tokenizer and image processor are those of the CLIP it began as."""
    folder = loader.find(model)
    loader.check_weights(folder)
    own = (folder / "preprocessor_config.json").is_file()
    words = folder if own else loader.find(processor)
    return loading(folder, lambda: transformers_towers(loader, folder, words))


@scorer(
    title="PickScore v1", paper="https://arxiv.org/abs/2305.01569", checkpoint=_CHECKPOINT,
    needs=("caption",), load=load, range=(18.0, 24.0), worst=-100.0,
)  # fmt: skip
def pickscore(
    batch: Batch, towers: Towers, *, model: str = _CHECKPOINT, processor: str = _PROCESSOR  # noqa: ARG001  `towers` are opened by them
) -> Tensor:  # fmt: skip
    """How likely people are to pick a picture for a prompt: scale·cos(picture, caption).

    Kirstain et al., "Pick-a-Pic", 2023. Compare within one prompt only.

    model: PickScore's folder for transformers, or its name on the hub.
    processor: Where tokenizer and image processor lie, if not in the model's folder.
    """
    return towers.scale * cosines(towers.pictures(batch.levels), towers.texts(batch.captions))
