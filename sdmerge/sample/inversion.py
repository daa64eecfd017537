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

from sdmerge.adapters.embedding import open_embedding
from sdmerge.errors import InputError

_SDXL = {"clip_l": 0, "clip_g": 1}
"""Places of SDXL's text encoders by the names of their vectors."""


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


def load_inversion(path: Path, *, allow_pickle: bool = False) -> Inversion:
    """The textual inversion in a file of any form.

    Its word is the token of diffusers' form, else the file's name, as in A1111's web interface.
    """
    found = open_embedding(path, allow_pickle=allow_pickle)
    if found.form == "SDXL":
        vectors = {_SDXL[name]: tensor.float() for name, tensor in found.vectors.items()}
    else:
        vectors = {0: next(iter(found.vectors.values())).float()}
    return Inversion(found.token if found.form == "diffusers" else path.stem, vectors, path)


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
