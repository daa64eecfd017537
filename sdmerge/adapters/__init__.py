"""Adapters: how a file presents itself as canonical tensors.

`open_model` looks at a path and answers with a checkpoint (`MappedSource`) or a LoRA (`LoraFile`,
which becomes a source once it is bound to a base).
"""

from __future__ import annotations

import functools
from pathlib import Path

from sdmerge.adapters.live import live_source
from sdmerge.adapters.lora.file import LoraFile, open_lora
from sdmerge.adapters.lora.folder import ADAPTER_NAME, LORA_NAME, adapter_folders, open_adapters
from sdmerge.adapters.mapped import MappedSource
from sdmerge.adapters.source import Source, Space
from sdmerge.adapters.structural import structural_source
from sdmerge.errors import FileError
from sdmerge.families import FAMILIES, Recognition, recognise, recognise_folder
from sdmerge.families.recognise import ARCHITECTURE
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore, open_component, open_store

__all__ = ["LoraFile", "MappedSource", "Source", "Space", "live_source", "open_lora", "open_model"]


def open_model(path: Path, *, allow_pickle: bool = False) -> MappedSource | LoraFile:
    """The model at `path`: a single file, a diffusers folder, a component's folder, or a LoRA."""
    if not path.exists():
        raise FileError("there is no such file or folder", where=str(path))
    if not path.is_dir():
        return _from_store(path, open_store(path, allow_pickle=allow_pickle))
    for name in (ADAPTER_NAME, LORA_NAME):
        if (path / name).is_file():
            return open_lora(open_store(path / name))
    if adapters := adapter_folders(path):
        return open_adapters(path, adapters)
    parts = {
        folder.name: store
        for folder in sorted(path.iterdir())
        if folder.is_dir()
        and (store := open_component(folder, allow_pickle=allow_pickle)) is not None
    }
    if parts:
        return _from_parts(path, parts)
    store = open_component(path, allow_pickle=allow_pickle)
    if store is None:
        hint = "A pipeline folder has subfolders such as unet with .safetensors files in them."
        raise FileError("holds no weights", where=str(path), hint=hint)
    return _from_store(path, store)


def _from_parts(path: Path, parts: dict[str, TensorStore]) -> MappedSource:
    found = recognise_folder({name: store.specs for name, store in parts.items()})
    if found is None:
        folders = ", ".join(parts)
        hint = "Its components are of no known family; name one of its files instead."
        raise FileError(f"is a pipeline of an unknown kind ({folders})", where=str(path), hint=hint)
    return MappedSource(
        path,
        parts,
        found.keymap,
        family=found.family,
        layout=found.layout,
        variant=found.variant,
        missing=found.missing,
        left_out=found.dropped,
    )


def _from_store(path: Path, store: TensorStore) -> MappedSource | LoraFile:
    if LoraFile.is_lora(store.specs):
        return open_lora(store)
    said = store.metadata.get(ARCHITECTURE, "")
    found = _recognised(tuple(store.specs.items()), said, tuple(one.name for one in FAMILIES))
    if found is None:
        return structural_source(path, store)
    return MappedSource(
        path,
        {"": store},
        found.keymap,
        family=found.family,
        layout=found.layout,
        variant=found.variant,
        missing=found.missing,
        left_out=found.dropped,
    )


@functools.lru_cache(maxsize=8)
def _recognised(
    specs: tuple[tuple[str, TensorSpec], ...], said: str, _families: tuple[str, ...]
) -> Recognition | None:
    """What a file with this header is, by the families there are: fine-tunes have all the same."""
    return recognise(dict(specs), {ARCHITECTURE: said})
