"""Opening a model file, whatever its container: every one becomes a `TensorStore`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor

from sdmerge.errors import FileError
from sdmerge.tensors.header import is_safetensors
from sdmerge.tensors.pickle_store import PickleStore
from sdmerge.tensors.safetensors_store import SafetensorsStore
from sdmerge.tensors.sharded_store import ShardedStore
from sdmerge.tensors.spec import TensorSpec

_SAFE = (".safetensors", ".sft")
_PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_SHARD = re.compile(r"-\d{5}-of-\d{5}")
_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")


class TensorStore(Protocol):
    """Named tensors in files: their specs at once, their elements when asked for."""

    @property
    def path(self) -> Path:
        """What was opened: a file, or the index of several."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file whose content the tensors depend on."""
        ...

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        """Dtype and shape of every tensor, in the file's order."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself."""
        ...

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """A fresh flat tensor of the elements [start, stop) in C order; any thread may call."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


def open_store(path: Path, *, allow_pickle: bool = False) -> TensorStore:
    """The tensors of a .safetensors file, a sharded index, or (if allowed) a pickle."""
    name = path.name.lower()
    if path.is_dir():
        hint = "Name a file in it, or the folder of a whole pipeline."
        raise FileError("is a folder, not a model file", where=str(path), hint=hint)
    if name.endswith(".json") and ".index." in name:
        return ShardedStore(path, lambda shard: open_store(shard, allow_pickle=allow_pickle))
    if name.endswith(_SAFE):
        return SafetensorsStore(path)
    if name.endswith(_PICKLES):
        # Renamed safetensors files are common, and then there is nothing to be afraid of.
        if is_safetensors(path):
            return SafetensorsStore(path)
        return PickleStore(path, allow_pickle=allow_pickle)
    known = ", ".join((*_SAFE, ".safetensors.index.json", *_PICKLES))
    raise FileError("is not a kind of model file", where=str(path), hint=f"Known: {known}")


def open_component(
    folder: Path, *, variant: str | None = None, allow_pickle: bool = False
) -> TensorStore | None:
    """The weights in a subfolder of a pipeline, None if it holds none.

    Full files win over variants (`model.fp16.safetensors`), safetensors over pickles.
    """
    names = sorted(item.name for item in folder.iterdir()) if folder.is_dir() else []
    for stem in _STEMS:
        for suffix in ("safetensors", "bin"):
            found = _weights(names, stem, suffix, variant, folder)
            if found is not None:
                return open_store(folder / found, allow_pickle=allow_pickle)
    return None


def _weights(
    names: list[str], stem: str, suffix: str, variant: str | None, folder: Path
) -> str | None:
    """The file name of `stem`'s weights in `names`: without a variant if there is one such."""
    by_variant = {_variant_of(name, stem, suffix): name for name in reversed(names)}
    by_variant.pop(None, None)
    if variant is not None:
        return by_variant.get(variant)
    if "" in by_variant or not by_variant:
        return by_variant.get("")
    if len(by_variant) > 1:
        found = ", ".join(sorted(by_variant.values()))
        hint = "Keep the one to be used, and move the others elsewhere."
        raise FileError(f"holds several variants: {found}", where=str(folder), hint=hint)
    return next(iter(by_variant.values()))


def _variant_of(name: str, stem: str, suffix: str) -> str | None:
    """ "fp16" of model.fp16.safetensors or model.safetensors.index.fp16.json, "" of plain ones."""
    single, index = f".{suffix}", f".{suffix}.index"
    if not name.startswith(f"{stem}."):
        return None
    rest = name[len(stem) :]
    if rest.endswith(single):
        middle = rest[: -len(single)]
    elif rest.startswith(index) and rest.endswith(".json"):
        middle = rest[len(index) : -len(".json")]
    else:
        return None
    return None if _SHARD.search(middle) else middle.removeprefix(".")
