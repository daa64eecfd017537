"""The sha256 of a file's data, taken while it is written."""

from __future__ import annotations

import hashlib
import threading

from sdmerge.tensors.coverage import Coverage
from sdmerge.tensors.positional import PositionalFile

_CHUNK = 1 << 22


class DataHash:
    """sha256 of the bytes from `begin` on, following the written prefix as it grows.

    One thread hashes at a time. Bytes that came before their turn are read back, from the page
    cache as a rule, once the prefix has reached them; what is left at the end `digest` reads.
    """

    def __init__(self, file: PositionalFile, begin: int) -> None:
        self._file = file
        self._done = begin
        self._lock = threading.Lock()
        self._sha = hashlib.sha256()

    def follow(self, data: memoryview, offset: int, coverage: Coverage) -> None:
        """Hash on, `data` having been written at `offset` and added to `coverage`."""
        if not self._lock.acquire(blocking=False):
            return  # whoever hashes now, or writes next, or `digest`, will see to it
        try:
            if offset == self._done:
                self._sha.update(data)
                self._done += len(data)
            self._read_up_to(coverage.reach(self._done))
        finally:
            self._lock.release()

    def digest(self, end: int) -> str:
        """The hash of everything before `end`, in hexadecimal digits."""
        with self._lock:
            self._read_up_to(end)
            return self._sha.hexdigest()

    def _read_up_to(self, end: int) -> None:
        buffer = memoryview(bytearray(min(_CHUNK, max(0, end - self._done))))
        while self._done < end:
            part = buffer[: end - self._done]
            self._file.read_into(part, self._done)
            self._sha.update(part)
            self._done += len(part)
