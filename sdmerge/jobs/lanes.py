"""Lanes: one per device, worked in by whichever process holds its lock. There is no daemon.

In the workspace:

runs/lanes/cpu.lock    held by the worker of the lane
runs/lanes/cpu.json    where it listens, and the key that it asks for; for the user's eyes only
runs/lanes/cpu.log     what it printed
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock

from sdmerge.errors import ResourceError

_CHILDREN: list[subprocess.Popen[bytes]] = []

WORKER = "sdmerge.cli.runs.worker"
"""The module that a worker runs; it knows the commands, which this package does not."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a worker listens on this machine. A process is known by its id and its start."""

    pid: int
    born: float
    port: int
    key: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.born and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class Lane:
    """A device's files in the folder of all jobs."""

    def __init__(self, runs: Path, name: str) -> None:
        self.runs = runs
        self.name = name
        self._stem = runs / "lanes" / re.sub(r"[^\w.-]", "-", name)

    @property
    def lock(self) -> FileLock:
        """The lock of whoever works here; ask for it without waiting."""
        self._stem.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self._file("lock"), blocking=False)

    def announce(self, port: int) -> bytes:
        """Say where this process listens; the key that callers have to know."""
        pid = os.getpid()
        address = Address(pid, psutil.Process(pid).create_time(), port, secrets.token_hex(32))
        partial = self._file(f"{pid}.partial")
        partial.unlink(missing_ok=True)
        # nobody else can read it, not even for a moment
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(address), file)
        partial.replace(self._file("json"))
        return bytes.fromhex(address.key)

    def withdraw(self) -> None:
        """Say that this process does not listen any more."""
        self._file("json").unlink(missing_ok=True)

    def address(self) -> Address | None:
        """Where the worker listens, if there is one."""
        try:
            address = Address(**json.loads(self._file("json").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return address if address.alive else None

    @property
    def log(self) -> Path:
        """What the workers printed."""
        return self._file("log")

    def start(self) -> None:
        """Start a worker, which ends at once if there is one. It outlives this process.

        A ResourceError if the one before could not begin.
        """
        self._stem.parent.mkdir(parents=True, exist_ok=True)
        if not reap():
            hint = f"Look into {self.log}."
            raise ResourceError(f"the worker for {self.name} could not begin", hint=hint)
        _CHILDREN.append(start_process([str(self.runs), "--lane", self.name], self.log))

    def _file(self, ending: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}.{ending}")


def reap() -> bool:
    """Let the system forget the workers that this process started and that have ended.

    False if one of them could not begin.
    """
    well = True
    for child in list(_CHILDREN):  # other threads may do the same
        if child.poll() is not None and child in _CHILDREN:
            _CHILDREN.remove(child)
            well = well and child.returncode != 1  # Python's own, for an error
    return well


def start_process(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """A worker process of its own, whose output goes to the end of `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", WORKER, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # the same sdmerge as here, and nothing that lies in the user's folder
            cwd=Path(__file__).parents[2],
            # ctrl-C in the terminal that it was started from is not meant for it
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
