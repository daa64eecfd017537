"""Aesthetics: a head on CLIP's embedding of a picture, as LAION's predictor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from sdmerge.scoring.batch import Batch
from sdmerge.scoring.heads import linear_head
from sdmerge.scoring.loader import Loader, read_json, weights_file
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import Towers, open_towers

_CHECKPOINT = "camenduru/improved-aesthetic-predictor/sac+logos+ava1-l14-linearMSE.pth"
_CLIP = "openai/clip-vit-large-patch14"
_STEMS = ("model", "sac+logos+ava1-l14-linearMSE")


@dataclass(frozen=True, slots=True)
class Predictor:
    """A CLIP and a head on its embedding."""

    towers: Towers
    head: nn.Sequential


def load(loader: Loader, *, model: str, clip: str) -> Predictor:
    """The head at `model`, and its CLIP: as said, else what the head's config.json names."""
    found = loader.find(model)
    file = weights_file(found, *_STEMS) if found.is_dir() else found
    near = file.parent
    own = read_json(near / "config.json").get("clip", "") if _has_config(near) else ""
    towers: Towers = loader.once(open_towers, {"model": clip or _beside(loader, near, str(own))})
    head = linear_head(loader.weights(file), file).to(loader.device)
    return Predictor(towers, head)


def _has_config(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _beside(loader: Loader, folder: Path, own: str) -> str:
    return str(loader.find(own, folder)) if own else _CLIP


@scorer(
    title="LAION aesthetic predictor v2",
    paper="https://github.com/christophschuhmann/improved-aesthetic-predictor",
    checkpoint=_CHECKPOINT, load=load, range=(1.0, 10.0), worst=-10.0,
)  # fmt: skip
def aesthetic(
    batch: Batch, predictor: Predictor, *, model: str = _CHECKPOINT, clip: str = ""  # noqa: ARG001  the predictor is opened by them
) -> Tensor:  # fmt: skip
    """How beautiful people found pictures like this one, from about 1 to 10; captions do not count.

    Linear layers 768 → 1024 → 128 → 64 → 16 → 1 on the L2-normalised embedding of OpenAI's CLIP
    ViT-L/14. Searches exploit it: over-rendered pictures score high. The published file is a
    pickle: read with --allow-pickle.

    model: The head's weights, a folder with them, or OWNER/NAME/FILE of the hub.
    clip: The CLIP under it; empty: what the head's config.json says, else OpenAI's ViT-L/14.
    """
    return predictor.head(predictor.towers.pictures(batch.levels)).squeeze(-1)
