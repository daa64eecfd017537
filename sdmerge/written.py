"""Small files that are whole or not there at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def written(path: Path) -> Generator[Path]:
    """A partial beside `path` to write to; it takes the name when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Put `content` into `path`, at once.

    sync: Wait until the disk has it: what is there outlives a power cut, old or new.
    """
    with written(path) as partial, partial.open("wb") as file:
        file.write(content)
        if sync:
            file.flush()
            os.fsync(file.fileno())
