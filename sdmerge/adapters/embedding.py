"""Textual inversions: vectors that stand for a word, in the forms that trainers and tools write.

A1111 .pt          string_to_param {"*": [n, width]}, and its name, steps, checkpoint
A1111 .safetensors emb_params [n, width]
SDXL               clip_l [n, 768] and clip_g [n, 1280], one vector for each text encoder
diffusers          the token itself, [width] or [n, width]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
from torch import Tensor

from sdmerge.errors import FileError
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore, open_store
from sdmerge.tensors.unpickle import load_pickle

Form = Literal["A1111", "emb_params", "SDXL", "diffusers"]

_PICKLED, _PARAMS = "*", "emb_params"
_ENCODERS = {"clip_l", "clip_g"}


@dataclass(frozen=True, slots=True)
class Embedding:
    """A textual inversion: per tensor of its file the vectors [n, width], as they are stored.

    `token` is the word it stands for, "" if the file does not say; `facts` is what else it says.
    """

    path: Path
    form: Form
    vectors: Mapping[str, Tensor]
    token: str
    facts: Mapping[str, str | int]

    @property
    def count(self) -> int:
        """How many vectors it has: places in the prompt that it takes."""
        return len(next(iter(self.vectors.values())))

    @property
    def widths(self) -> Mapping[str, int]:
        """The width of each text encoder it is for, by the tensor's name where there are two."""
        return {
            name if self.form == "SDXL" else "": one.shape[1] for name, one in self.vectors.items()
        }

    @property
    def lengths(self) -> Mapping[str, list[float]]:
        """The Euclidean length of every vector."""
        return {
            name: [float(np.linalg.norm(vector)) for vector in one.double().numpy()]
            for name, one in self.vectors.items()
        }


_LARGEST = 1 << 26
"""Bytes beyond which nobody has looked for words: 4096 vectors of 4096 numbers, in float32."""


def form_of(specs: Mapping[str, TensorSpec]) -> Form | None:
    """The form of an embedding with these tensors; None for another kind of file."""
    if not specs or not all(
        spec.is_float and len(spec.shape) in (1, 2) and spec.numel for spec in specs.values()
    ):
        return None
    if set(specs) == _ENCODERS:
        return "SDXL"
    if len(specs) != 1:
        return None
    (name,) = specs
    if name in (_PICKLED, _PARAMS):
        return "A1111" if name == _PICKLED else "emb_params"
    # a model's tensors lie in modules, whose names have dots
    return "diffusers" if name.startswith("<") or "." not in name else None


def is_embedding(path: Path, *, allow_pickle: bool = False) -> bool:
    """Whether a model file is a textual inversion. What cannot be opened is an error."""
    if not path.is_file() or path.stat().st_size > _LARGEST:
        return False
    store = open_store(path, allow_pickle=allow_pickle)
    try:
        return form_of(store.specs) is not None
    finally:
        store.close()


def open_embedding(path: Path, *, allow_pickle: bool = False) -> Embedding:
    """The textual inversion at `path`; another kind of file is a FileError."""
    if not path.exists():
        raise FileError("there is no such file", where=str(path))
    store = open_store(path, allow_pickle=allow_pickle)
    try:
        form = form_of(store.specs)
        if form is None:
            hint = (
                "An embedding holds emb_params, clip_l and clip_g, or one tensor named as its word."
            )
            raise FileError("is not a textual inversion", where=str(path), hint=hint)
        vectors = {name: _vectors(store, name) for name in store.specs}
        counts = {len(one) for one in vectors.values()}
        if len(counts) > 1:
            what = f"has different numbers of vectors for its text encoders: {sorted(counts)}"
            raise FileError(what, where=str(path))
        facts = _facts(path) if form == "A1111" else {}
        token = next(iter(vectors)) if form == "diffusers" else str(facts.get("name", ""))
        return Embedding(path, form, vectors, token, facts)
    finally:
        store.close()


def _vectors(store: TensorStore, name: str) -> Tensor:
    shape = store.specs[name].shape
    return store.read(name).reshape(-1, shape[-1])


def _facts(path: Path) -> dict[str, str | int]:
    """What an A1111 file says beside its vectors."""
    loaded = load_pickle(path)
    table = cast("dict[object, object]", loaded) if isinstance(loaded, dict) else {}
    return {
        str(name): value
        for name, value in table.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }
