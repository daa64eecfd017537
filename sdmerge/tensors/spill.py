"""Spill: tensors by key on disk, written one after the other and read one at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdmerge.errors import CorruptFile, ResourceError
from sdmerge.written import written

Found = tuple[str, Tensor | Mapping[str, Tensor]]
"""A key with what was found for it."""

_SEPARATOR = "|"


def write_spill(path: Path, found: Iterable[Found]) -> None:
    """Write what is found, as it is found; a key may come again with other names.

    An .npz archive, which is whole or not there.
    """
    try:
        with written(path) as partial, zipfile.ZipFile(partial, "w") as archive:
            for key, value in found:
                named = {"": value} if isinstance(value, Tensor) else value
                for name, tensor in named.items():
                    _write(archive, f"{key}{_SEPARATOR}{name}.npy", tensor)
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise ResourceError(what, where=str(path), hint="Free some space.") from error


def _write(archive: zipfile.ZipFile, name: str, tensor: Tensor) -> None:
    # a fixed date: the same tensors give the same file
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    with archive.open(entry, "w", force_zip64=True) as file:
        np.lib.format.write_array(file, tensor.numpy(), allow_pickle=False)


class Spill:
    """A written spill, open for reading. Threads may share one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise CorruptFile("is broken", where=str(path), hint="Remove it.") from error
        self._names: dict[str, list[str]] = {}
        for entry in self._archive.namelist():
            key, _, name = entry.removesuffix(".npy").rpartition(_SEPARATOR)
            self._names.setdefault(key, []).append(name)

    def of(self, key: str) -> Tensor | Mapping[str, Tensor]:
        """What was found for `key`: a tensor, or tensors by name; {} for nothing."""
        found = {name: self._read(key, name) for name in self._names.get(key, [])}
        return found.get("", found)

    def _read(self, key: str, name: str) -> Tensor:
        try:
            with self._archive.open(f"{key}{_SEPARATOR}{name}.npy") as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            hint = "Remove it; it is made again."
            raise CorruptFile("is broken", where=str(self._path), hint=hint) from error
        return torch.from_numpy(array)  # pyright: ignore[reportUnknownMemberType]

    def close(self) -> None:
        """Close the file."""
        self._archive.close()
