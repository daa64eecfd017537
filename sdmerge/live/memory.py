"""Memory: tensors of model files that stay in RAM, as many as a budget of bytes has room for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import psutil
from torch import Tensor

from sdmerge.tensors.filling import Filler, filler_of
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore


def free_share(share: float = 0.5) -> int:
    """Bytes of that share of the RAM that is free now."""
    return int(psutil.virtual_memory().available * share)


class Memory:
    """Tensors by the content of their file and their name. Any thread may ask.

    What comes first stays: a merge reads every tensor once and in the same order, so dropping the
    oldest for the newest would always drop what is read next.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._kept: dict[tuple[str, str], Tensor] = {}
        self._contents: Collection[str] = ()
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are kept."""
        return self._used

    def use(self, contents: Collection[str]) -> None:
        """Say which files are merged from now on; the others' tensors go if room is needed."""
        with self._lock:
            self._contents = frozenset(contents)
            # the first ones go first
            by_use = sorted(self._kept.items(), key=lambda item: item[0][0] in self._contents)
            self._kept = dict(by_use)

    def get(self, content: str, name: str, size: int, read: Callable[[], Tensor]) -> Tensor | None:
        """The tensor, read once; None where there is no room for its `size` in bytes."""
        key = (content, name)
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                return kept
            if not self._make_room(size):
                return None
            self._used += size
        try:
            tensor = read()
        except BaseException:
            with self._lock:
                self._used -= size
            raise
        with self._lock:
            if key in self._kept:  # two threads read it at once
                self._used -= size
            return self._kept.setdefault(key, tensor)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()
            self._used = 0

    def _make_room(self, size: int) -> bool:
        if size > self.budget:
            return False
        while self._used + size > self.budget:
            oldest = next(iter(self._kept), None)
            if oldest is None or oldest[0] in self._contents:
                return False
            gone = self._kept.pop(oldest)
            self._used -= gone.numel() * gone.element_size()
        return True


class ResidentStore:
    """A store whose tensors stay in memory where there is room; others are read again.

    What it reads is shared with the memory: it must not be written to.
    """

    def __init__(self, store: TensorStore, memory: Memory, content: str) -> None:
        self.path: Path = store.path
        self.files = store.files
        self.specs: Mapping[str, TensorSpec] = store.specs
        self.metadata: Mapping[str, str] = store.metadata
        self._store = store
        self._memory = memory
        self._content = content

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Elements [start, stop), flat."""
        kept = self._whole(name)
        return self._store.read(name, start, stop) if kept is None else kept[start:stop]

    def filler(self, name: str) -> Filler | None:
        """What fills buffers with a tensor that is not kept; one that is, is not copied at all."""
        return filler_of(self._store, name) if self._whole(name) is None else None

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def _whole(self, name: str) -> Tensor | None:
        size = self.specs[name].nbytes
        return self._memory.get(self._content, name, size, lambda: self._store.read(name))
