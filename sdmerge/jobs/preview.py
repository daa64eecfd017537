"""Previews: what a recipe draws, by the pipeline that a worker keeps; asked for and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sdmerge.params import Scalar


@dataclass(frozen=True, slots=True)
class Wish:
    """Pictures of a recipe that somebody waits for.

    recipe: The recipe's text; paths in it start at `folder`, then as in any recipe.
    shots: Prompts with their seeds.
    sampling: Settings by the names of sdmerge.sample.settings; what is left out suits the model.
    settings: Changes of the recipe, PATH=VALUE.
    owner: Who asks. A newer wish of the same owner ends an older one.
    """

    recipe: str
    shots: tuple[tuple[str, int], ...]
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    settings: tuple[str, ...] = ()
    folder: Path | None = None
    roots: tuple[Path, ...] = ()
    owner: str = ""
    allow_pickle: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What was drawn: PNG files that say how they were made, one per shot.

    tensors: How many of the pipeline's tensors were merged anew for it.
    merge_seconds, draw_seconds: What merging took, and drawing.
    sampling: The settings it was drawn with.
    why: Why the steps and the guidance suit the model, where they were left open and it is special.
    """

    pictures: tuple[bytes, ...]
    recipe_id: str
    tensors: int
    merge_seconds: float
    draw_seconds: float
    sampling: Mapping[str, Any]
    why: str = ""


def wish_data(wish: Wish) -> dict[str, Any]:
    """A wish as JSON."""
    folder = str(wish.folder) if wish.folder else None
    return {**asdict(wish), "folder": folder, "roots": [str(root) for root in wish.roots]}


def read_wish(data: Mapping[str, Any]) -> Wish:
    """The wish that `wish_data` wrote."""
    return Wish(
        data["recipe"],
        tuple((prompt, seed) for prompt, seed in data["shots"]),
        data["sampling"],
        tuple(data["settings"]),
        Path(data["folder"]) if data["folder"] else None,
        tuple(Path(root) for root in data["roots"]),
        data["owner"],
        data["allow_pickle"],
    )


def preview_data(preview: Preview) -> dict[str, Any]:
    """A preview as JSON, without its pictures."""
    data = asdict(preview)
    del data["pictures"]
    return data


def read_preview(data: Mapping[str, Any], pictures: Sequence[bytes]) -> Preview:
    """The preview that `preview_data` wrote, with its pictures."""
    return Preview(pictures=tuple(pictures), **data)
