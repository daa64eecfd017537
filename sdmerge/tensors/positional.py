"""A file read and written at given positions, by any number of threads.

The one place that knows `pread` from `seek`: where a system has no positional calls (Windows), a
lock around seek-and-read stands in.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sdmerge.errors import CorruptFile, FileError, ResourceError, SdmergeError

_LARGEST_CALL = 1 << 30  # Linux moves at most 2 GiB - 4 KiB per call, macOS fails beyond 2 GiB - 1
_BINARY = getattr(os, "O_BINARY", 0)  # without it Windows rewrites every byte 10
_PATIENCE = 60.0  # seconds; rather a descriptor left open than a hang on a dead network disk
_FULL = (errno.ENOSPC, errno.EDQUOT)


class PositionalFile:
    """An open file whose reads and writes name their offset, so threads share no position."""

    def __init__(self, path: Path, descriptor: int, shown_as: Path | None = None) -> None:
        self.path = path
        self._shown = str(shown_as or path)
        self._descriptor = descriptor
        self._idle = threading.Condition()
        self._users = 0
        self._closed = False
        self._seeking: io.FileIO | None = None
        if not (hasattr(os, "preadv") and hasattr(os, "pwrite")):
            self._seeking = io.FileIO(descriptor, "r+" if shown_as else "r", closefd=False)
        self._seek_lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """`path` for reading; a FileError says why it cannot be."""
        try:
            # Opening a pipe would wait for a writer, so the kind is looked at first.
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise FileError("is a folder, not a file", where=str(path))
            if not stat.S_ISREG(mode):
                raise FileError("is not a regular file", where=str(path))
            return cls(path, os.open(path, os.O_RDONLY | _BINARY))
        except FileNotFoundError as error:
            raise FileError("does not exist", where=str(path)) from error
        except OSError as error:
            raise FileError(f"cannot be opened: {error.strerror}", where=str(path)) from error

    @classmethod
    def create(cls, path: Path, shown_as: Path) -> Self:
        """A new file at `path` for writing, FileExistsError if there is one.

        Messages name `shown_as`, the file the user asked for.
        """
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY
            return cls(path, os.open(path, flags, 0o666), shown_as)
        except FileExistsError:
            raise
        except OSError as error:
            raise _cannot_write(error, str(shown_as)) from error

    @property
    def size(self) -> int:
        """The file's length in bytes, now."""
        with self._in_use() as descriptor:
            return os.fstat(descriptor).st_size

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill the whole buffer from `offset`; a file that ends before is a CorruptFile."""
        with self._in_use() as descriptor:
            done = 0
            while done < len(buffer):
                part = buffer[done : done + _LARGEST_CALL]
                count = self._read_some(descriptor, part, offset + done)
                if not count:
                    missing = len(buffer) - done
                    raise CorruptFile(f"ends {missing} bytes too early", where=self._shown)
                done += count

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Put all of `data` at `offset`; a full disk is a ResourceError."""
        view = memoryview(data)
        with self._in_use() as descriptor:
            done = 0
            while done < len(view):
                part = view[done : done + _LARGEST_CALL]
                done += self._write_some(descriptor, part, offset + done)

    def truncate(self, size: int) -> None:
        """Make the file `size` bytes long; new bytes are zero."""
        with self._in_use() as descriptor, self._writing():
            os.ftruncate(descriptor, size)

    def sync(self) -> None:
        """Return when the disk has everything that was written."""
        with self._in_use() as descriptor, self._writing():
            os.fsync(descriptor)

    def is_at(self, path: Path) -> bool:
        """Whether `path` still names this very file, not one that took its place."""
        with self._in_use() as descriptor:
            try:
                return os.path.samestat(os.fstat(descriptor), path.stat())
            except FileNotFoundError:
                return False

    def close(self) -> None:
        """Close once the calls under way are done; closing twice is fine."""
        # A descriptor closed under a running call may be handed to another file at once, and the
        # call would then write into that one.
        with self._idle:
            if self._closed:
                return
            self._closed = True
            idle = self._idle.wait_for(lambda: self._users == 0, timeout=_PATIENCE)
        if idle:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.close()

    @contextmanager
    def _in_use(self) -> Generator[int]:
        with self._idle:
            if self._closed:
                raise SdmergeError("was used after it was closed", where=self._shown)
            self._users += 1
        try:
            yield self._descriptor
        finally:
            with self._idle:
                self._users -= 1
                self._idle.notify_all()

    @contextmanager
    def _writing(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise _cannot_write(error, self._shown) from error

    def _read_some(self, descriptor: int, part: memoryview, offset: int) -> int:
        try:
            if self._seeking is None:
                return os.preadv(descriptor, [part], offset)
            with self._seek_lock:
                self._seeking.seek(offset)
                return self._seeking.readinto(part) or 0
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror}", where=self._shown) from error

    def _write_some(self, descriptor: int, part: memoryview, offset: int) -> int:
        with self._writing():
            if self._seeking is None:
                return os.pwrite(descriptor, part, offset)
            with self._seek_lock:
                self._seeking.seek(offset)
                return self._seeking.write(part) or 0


def _cannot_write(error: OSError, where: str) -> SdmergeError:
    if error.errno in _FULL:
        hint = "Free some space, or write to another disk. Nothing half-written was left behind."
        return ResourceError("the disk is full", where=where, hint=hint)
    if error.errno == errno.EFBIG:
        hint = "FAT32 and some quotas stop at 4 GB: write to another disk, or in shards."
        return ResourceError("this disk allows no file that large", where=where, hint=hint)
    if error.errno == errno.EIO:
        return ResourceError(f"the disk failed: {error.strerror}", where=where)
    return FileError(f"cannot be written: {error.strerror}", where=where)
