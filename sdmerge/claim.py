"""Claim: a folder that one run at a time works in."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from filelock import FileLock, Timeout

from sdmerge.errors import FileError, InputError

_MOMENT = 0.5
"""Seconds in which somebody who only looks whether a folder is claimed has looked."""


@contextlib.contextmanager
def claim(folder: Path, lock: str, *, taken: str, hint: str) -> Generator[None]:
    """The folder, made if need be, for this run alone; the lock dies with its process.

    lock: The name of the file that says so. taken, hint: What the FileError of a second run says.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file, where a folder is needed", where=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    held = FileLock(folder / lock, timeout=_MOMENT)
    try:
        held.acquire()
    except Timeout:
        raise FileError(taken, where=str(folder), hint=hint) from None
    try:
        yield
    finally:
        held.release()


def is_held(folder: Path, lock: str) -> bool:
    """Whether some run works in the folder at the moment."""
    path = folder / lock
    if not path.is_file():
        return False
    looked = FileLock(path, blocking=False)
    try:
        looked.acquire()
    except Timeout:
        return True
    looked.release()
    return False
