"""The file that is written until it is whole: `x.safetensors.<pid>.partial`.

The process id keeps two runs with one output apart, and tells the left-overs of a dead run, which
are removed, from the work of a live one, which is not touched.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from pathlib import Path

import psutil

from sdmerge.errors import FileError
from sdmerge.tensors.positional import PositionalFile

_OURS: set[Path] = set()  # partials of this process: guards what the disk is the truth of
_OURS_LOCK = threading.Lock()


def create_partial(path: Path) -> PositionalFile:
    """A new partial for the output `path`, after removing those of dead runs."""
    if not path.parent.is_dir():
        raise FileError(
            "the folder does not exist", where=str(path.parent), hint="Create it first."
        )
    # Not path.resolve(): a link would lead to another folder, perhaps on another disk.
    partial = path.parent.resolve() / f"{path.name}.{os.getpid()}.partial"
    with _OURS_LOCK:
        if partial in _OURS:
            raise FileError("is being written by another task already", where=str(path))
        remove_stale(path)
        try:
            file = PositionalFile.create(partial, shown_as=path)
        except FileExistsError as error:
            raise FileError("is being written by another run", where=str(path)) from error
        _OURS.add(partial)
    return file


def publish(file: PositionalFile, path: Path) -> None:
    """Turn the closed partial into `path`, at once and for good."""
    try:
        file.path.replace(path)
    except OSError as error:
        hint = "Is it open in another program?" if isinstance(error, PermissionError) else ""
        raise FileError(
            f"cannot be put in place: {error.strerror}", where=str(path), hint=hint
        ) from error
    with _OURS_LOCK:
        _OURS.discard(file.path)
    _sync_folder(path.parent)


def discard(file: PositionalFile) -> None:
    """Close the partial and remove it; doing so twice is fine."""
    file.close()
    with _OURS_LOCK:
        if file.path in _OURS:
            _OURS.discard(file.path)
            file.path.unlink(missing_ok=True)


def remove_stale(path: Path) -> None:
    """Remove partials of `path` whose process is no more."""
    pattern = re.compile(re.escape(path.name) + r"\.(\d+)\.partial")
    with contextlib.suppress(PermissionError):  # not ours to remove, or open on Windows
        for item in path.parent.resolve().iterdir():
            match = pattern.fullmatch(item.name)
            if match and item not in _OURS and not _is_alive(int(match[1]), item):
                item.unlink(missing_ok=True)


def _is_alive(pid: int, partial: Path) -> bool:
    """Whether the process that made `partial` still runs."""
    if pid == os.getpid():
        return False  # it is not among ours: an earlier process had our number
    try:
        # A process that began after the last write is another one with a recycled number.
        return psutil.Process(pid).create_time() <= partial.stat().st_mtime
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where a folder can be synced (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network disks refuse; the rename itself has happened
    finally:
        os.close(descriptor)
