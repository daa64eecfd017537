"""Whether a disk has room, asked before the first byte is written."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from sdmerge.errors import InputError, ResourceError


def free_space_for(path: Path, nbytes: int) -> None:
    """Nothing if `nbytes` fit on the disk of `path`, else a ResourceError with both figures.

    A file already at `path` frees nothing: it stays until the new one is complete.
    """
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if nbytes > free:
        hint = "Free some space, or write to another disk."
        if path.exists():
            hint += " The file being replaced stays until the new one is complete."
        what = f"needs {readable(nbytes)}, {readable(free)} free in {folder}"
        raise ResourceError(what, where=str(path), hint=hint)


def readable(nbytes: int) -> str:
    """A size for people, in decimal units as disks are sold: "6.9 GB"."""
    size = float(nbytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.95:
            return f"{nbytes} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


_UNITS: Mapping[str, int] = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_size(size: int | str) -> int:
    """Bytes of "5GB", "500 MB" or 5000000000; units are decimal, as at the hub."""
    text = str(size).strip().upper().removesuffix("B").strip()
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS and text else (text, "")
    try:
        limit = int(float(number) * _UNITS[unit])
    except (ValueError, OverflowError):
        limit = 0
    if limit <= 0:
        raise InputError(f"'{size}' is not a size", hint="Write it like 5GB or 500MB.")
    return limit
