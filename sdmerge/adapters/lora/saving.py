"""Saving: an encoded LoRA as a file, or as PEFT's folders, whole or not there at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sdmerge.adapters.lora.folder import ADAPTER_NAME
from sdmerge.adapters.lora.scaling import CONFIG_NAME, METADATA_KEY
from sdmerge.adapters.lora.spelling import PEFT_ROOT, Dialect
from sdmerge.adapters.lora.writing import Encoded
from sdmerge.errors import FileError, InputError
from sdmerge.tensors.dtypes import code_of
from sdmerge.tensors.header import encode_header
from sdmerge.tensors.partial_folder import whole_folder
from sdmerge.tensors.positional import PositionalFile
from sdmerge.tensors.space import free_space_for
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store
from sdmerge.tensors.writer import SafetensorsWriter

_HASH = "modelspec.hash_sha256"
# what is true of one file's bytes and scaling, and of no other's
_OWN = (METADATA_KEY, "sshs_model_hash", "sshs_legacy_hash", _HASH)
_ENDINGS = (".safetensors", ".sft")


def check_target(path: Path, dialect: Dialect, *, force: bool) -> None:
    """An InputError where a LoRA in this dialect cannot be written to `path`; reads no tensor."""
    is_file = path.suffix.lower() in _ENDINGS
    if is_file and dialect == "peft":
        hint = "Name a folder, or choose another dialect."
        raise InputError("a PEFT adapter is a folder, not a file", where=str(path), hint=hint)
    if not is_file and dialect != "peft":
        hint = "Name it NAME.safetensors, or choose --dialect peft."
        raise InputError(
            f"the {dialect} dialect is one .safetensors file", where=str(path), hint=hint
        )
    if not path.parent.is_dir():
        hint = "Create it first."
        raise FileError("the folder does not exist", where=str(path.parent), hint=hint)
    if path.is_dir() != (dialect == "peft") and path.exists():
        what = "is a folder" if path.is_dir() else "is a file, not a folder"
        raise InputError(what, where=str(path), hint="Choose another name.")
    if path.is_dir() and any(path.iterdir()) and force and not _adapters(path):
        hint = "--force would delete other things than a LoRA; choose another name."
        raise InputError("is not a PEFT adapter's folder", where=str(path), hint=hint)
    if path.exists() and not force and not (path.is_dir() and not any(path.iterdir())):
        hint = "Choose another name, or pass --force to replace it."
        raise InputError("exists already", where=str(path), hint=hint)


def write_lora(
    path: Path, encoded: Encoded, metadata: Mapping[str, str], *, force: bool = False
) -> None:
    """Write it with `metadata`, but for what these say of another file's bytes.

    A `modelspec.hash_sha256` among them is computed anew. The peft dialect writes a folder: one
    network's adapter lies in it, several have a folder each.
    """
    check_target(path, encoded.dialect, force=force)
    kept = header_metadata(encoded, metadata)
    slot = _HASH if _HASH in metadata else None
    if encoded.dialect == "peft":
        _write_folder(path, encoded, kept, slot)
    else:
        _write_file(path, encoded.tensors, kept, slot)


def header_metadata(encoded: Encoded, metadata: Mapping[str, str]) -> dict[str, str]:
    """What a file of it says of itself: `metadata` without what holds of other bytes."""
    kept = {"format": "pt", **{key: text for key, text in metadata.items() if key not in _OWN}}
    if encoded.settings and encoded.dialect != "peft":
        packed = {
            f"{network}.{name}" if network else name: value
            for network, settings in encoded.settings.items()
            for name, value in settings.items()
        }
        kept[METADATA_KEY] = json.dumps(packed, indent=2, sort_keys=True)
    return kept


def file_bytes(encoded: Encoded, metadata: Mapping[str, str]) -> int:
    """How large its file becomes; the tensors need no numbers yet."""
    said = header_metadata(encoded, metadata)
    if _HASH in metadata:
        said[_HASH] = f"0x{'0' * 64}"
    specs = _specs(encoded.tensors)
    return len(encode_header(specs, said)[0]) + sum(spec.nbytes for spec in specs.values())


def _specs(tensors: Mapping[str, Tensor]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(code_of(tensor.dtype), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }


def stored_tensors(path: Path, encoded: Encoded) -> dict[str, Tensor]:
    """The tensors of a LoRA that `write_lora` wrote, by the names they have in `encoded`."""
    found: dict[str, Tensor] = {}
    alone = f"{next(iter(encoded.settings))}." if len(encoded.settings) == 1 else ""
    for file, folder in _files(path):
        network = folder or (alone if path.is_dir() else "")
        store = open_store(file)
        for name, spec in store.specs.items():
            found[network + name] = store.read(name).reshape(spec.shape)
        store.close()
    return found


def lora_header(path: Path) -> Path:
    """The file whose header speaks for a LoRA: itself, or the first of a folder's adapters."""
    return next(iter(_files(path)), (path, ""))[0]


def _files(path: Path) -> list[tuple[Path, str]]:
    """The files of a LoRA, each with what `encode` put before its names."""
    if not path.is_dir():
        return [(path, "")]
    return [
        (folder.parent / ADAPTER_NAME, "" if folder.parent == path else f"{folder.parent.name}.")
        for folder in sorted(_adapters(path))
    ]


def _write_file(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], slot: str | None
) -> None:
    with SafetensorsWriter(path, _specs(tensors), metadata, slot) as writer:
        for name, tensor in tensors.items():
            writer.write(name, tensor)


def _write_folder(
    path: Path, encoded: Encoded, metadata: Mapping[str, str], slot: str | None
) -> None:
    free_space_for(path, sum(one.nbytes for one in encoded.tensors.values()))
    with whole_folder(path) as partial:
        for network, settings in encoded.settings.items():
            folder = partial / network if len(encoded.settings) > 1 else partial
            folder.mkdir(parents=True)
            own = {
                name.removeprefix(f"{network}."): tensor
                for name, tensor in encoded.tensors.items()
                if name.startswith(f"{network}{PEFT_ROOT}")
            }
            _write_file(folder / ADAPTER_NAME, own, metadata, slot)
            text = json.dumps(settings, indent=2, sort_keys=True)
            with PositionalFile.create(folder / CONFIG_NAME, shown_as=path) as file:
                file.write(text.encode(), 0)


def _adapters(path: Path) -> list[Path]:
    """The adapters that lie in a folder, or in the folders in it."""
    return [*path.glob(CONFIG_NAME), *path.glob(f"*/{CONFIG_NAME}")]
