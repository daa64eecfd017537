"""A folder that is written aside and put in place as a whole: `NAME.<pid>.partial`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def whole_folder(path: Path) -> Generator[Path]:
    """Write a folder at the path given; it stands at `path` if the block ends well, else not."""
    remove_stale_folders(path)
    partial = partial_folder(path)
    try:
        yield partial
        publish_folder(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def partial_folder(path: Path) -> Path:
    """Where the folder `path` is written until it is whole."""
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


def publish_folder(partial: Path, path: Path) -> None:
    """Put the whole partial in the place of `path`; what was there is gone only after that."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.old")
    if path.exists():
        path.replace(aside)
    try:
        partial.replace(path)
    except BaseException:
        if aside.exists():
            aside.replace(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def remove_stale_folders(path: Path) -> None:
    """Remove what runs that were killed, or an earlier try of this one, left beside `path`."""
    for left in path.parent.glob(f"{path.name}.*.partial"):
        owner = left.name.split(".")[-2]
        alive = owner.isdigit() and int(owner) != os.getpid() and psutil.pid_exists(int(owner))
        if left.is_dir() and not alive:
            shutil.rmtree(left)
