"""OpenedModels: model files opened once and known again, as long as nobody changes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from sdmerge.adapters import LoraFile, MappedSource, open_model

Stamp = tuple[tuple[str, int, int, int], ...]


class OpenedModels:
    """Models by path. Reading headers and recognising them takes longer than planning a merge."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, bool], tuple[Stamp, MappedSource | LoraFile]] = {}
        self._lock = threading.Lock()

    def open(self, path: Path, *, allow_pickle: bool = False) -> MappedSource | LoraFile:
        """The model at `path`, opened anew if a file of it was written, added or removed."""
        key = (path, allow_pickle)
        stamp = tuple(_stamps(path))
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        opened = open_model(path, allow_pickle=allow_pickle)
        with self._lock:
            self._known[key] = (stamp, opened)
        return opened


def _stamps(path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Name, size, time and inode of the file, or of a folder's files and theirs."""
    inside = sorted(path.glob("*")) + sorted(path.glob("*/*")) if path.is_dir() else [path]
    for file in inside:
        if file.exists():
            status = file.stat()
            yield str(file), status.st_size, status.st_mtime_ns, status.st_ino
