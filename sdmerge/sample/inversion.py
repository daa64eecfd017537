"""Textual inversions: words that stand for learned vectors instead of a row of the vocabulary.

They stay beside the text encoder, whose own weights are not touched, so that a merge may go on
writing them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sdmerge.errors import FileError, InputError
from sdmerge.tensors.store import open_store

_SDXL = {"clip_l": 0, "clip_g": 1}
_A1111 = "emb_params"


@dataclass(frozen=True, slots=True)
class Inversion:
    """A word and its vectors [n, width] for each text encoder that has some, by its place."""

    word: str
    vectors: Mapping[int, Tensor]
    path: Path

    def of(self, place: int, width: int) -> Tensor:
        """The vectors for an encoder; an InputError if there are none of its width."""
        vectors = self.vectors.get(place)
        if vectors is None or vectors.shape[1] != width:
            what = f"'{self.word}' has no vectors of width {width}"
            raise InputError(
                what, where=str(self.path), hint="It belongs to another kind of model."
            )
        return vectors


def load_inversion(path: Path) -> Inversion:
    """The textual inversion in a .safetensors file, A1111's, diffusers' or SDXL's with both sides.

    The word is the one the file gives its tensor, else the file's name.
    """
    if not path.is_file():
        raise FileError("there is no such file", where=str(path))
    store = open_store(path)
    try:
        shapes = {name: spec.shape for name, spec in store.specs.items()}
        tensors = {
            name: store.read(name).float().reshape(-1, shape[-1]) for name, shape in shapes.items()
        }
    finally:
        store.close()
    word = path.stem
    if tensors and tensors.keys() <= _SDXL.keys():
        vectors = {_SDXL[name]: tensor for name, tensor in tensors.items()}
    elif len(tensors) == 1:
        ((name, tensor),) = tensors.items()
        word, vectors = (path.stem if name == _A1111 else name), {0: tensor}
    else:
        hint = "One holds emb_params, a tensor named like its word, or clip_l and clip_g."
        raise FileError("is no textual inversion", where=str(path), hint=hint)
    if len({len(tensor) for tensor in vectors.values()}) != 1:
        raise FileError("has more vectors for one text encoder than the other", where=str(path))
    return Inversion(word, vectors, path)


def split_words(text: str, inversions: Sequence[Inversion]) -> list[str | Inversion]:
    """`text` with every word that an inversion stands for, in any case, as that inversion."""
    if not inversions:
        return [text]
    by_word = {one.word.lower(): one for one in inversions}
    # the longest first, as one word may begin like another
    words = sorted(by_word, key=len, reverse=True)
    pattern = rf"(?<!\w)({'|'.join(map(re.escape, words))})(?!\w)"
    parts = re.split(pattern, text, flags=re.IGNORECASE)
    return [
        by_word[part.lower()] if place % 2 else part for place, part in enumerate(parts) if part
    ]
