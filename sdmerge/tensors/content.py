"""A file's content id: its sha256, remembered until the file changes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from sdmerge.errors import FileError
from sdmerge.written import write

# A file rewritten within one tick of its disk's clock keeps its time, so what was changed just now
# is not remembered. FAT ticks every two seconds.
_SETTLED = 3 * 10**9
_LOCK = threading.Lock()

_Known = dict[str, list[object]]


def sha256_of(path: Path, cache: Path | None) -> str:
    """The sha256 of the file's bytes in hexadecimal digits, from the cache if it is unchanged.

    The cache is a JSON file: path → size, time of change, inode, hash. A broken one is empty.
    """
    try:
        key, stamp = str(path.resolve()), _stamp(path)
        if cache is not None:
            known = _read(cache).get(key, [])
            if known[:-1] == stamp:
                return str(known[-1])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        settled = time.time_ns() - path.stat().st_mtime_ns > _SETTLED
        if cache is not None and settled and _stamp(path) == stamp:
            _remember(cache, key, [*stamp, digest])
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return digest


def hashes_of(files: Sequence[Path], cache: Path | None) -> dict[Path, str]:
    """The sha256 of each file, several at a time."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(functools.partial(sha256_of, cache=cache), files)
        return dict(zip(files, found, strict=True))


def _stamp(path: Path) -> list[object]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _read(cache: Path) -> _Known:
    try:
        table = json.loads(cache.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(table, dict):
        return {}
    rows = cast("dict[str, object]", table)
    return {key: cast("list[object]", row) for key, row in rows.items() if _is_row(row)}


def _is_row(row: object) -> bool:
    if not isinstance(row, list):
        return False
    fields = cast("list[object]", row)
    return len(fields) == 4 and isinstance(fields[3], str) and len(fields[3]) == 64


def _remember(cache: Path, key: str, row: list[object]) -> None:
    # Two processes may each lose the other's newest row; it is then hashed once more.
    # A cache that cannot be written costs only time.
    with _LOCK, contextlib.suppress(OSError):
        write(cache, json.dumps({**_read(cache), key: row}, indent=1).encode())
