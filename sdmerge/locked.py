"""Locked: an open file that this process alone may write to, on every system."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from typing import IO, Any


@contextlib.contextmanager
def locked(file: IO[Any]) -> Generator[None]:
    """Wait for the file, and keep it from others that ask this until the end."""
    number = file.fileno()
    if sys.platform == "win32":
        import msvcrt

        file.seek(_FAR)  # a byte that no line reaches, as Windows keeps others from reading it
        msvcrt.locking(number, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            file.seek(_FAR)
            msvcrt.locking(number, msvcrt.LK_UNLCK, 1)
        return
    import fcntl

    fcntl.flock(number, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(number, fcntl.LOCK_UN)


_FAR = 1 << 30
