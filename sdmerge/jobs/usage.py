"""Usage: how full the machine is: its memory, the disk of the workspace, and the GPU."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes in use and in all, by whomever; `disk` is what is free there.

    gpu: None where nothing is drawn on one, or no worker has yet begun to.
    """

    ram: tuple[int, int]
    disk: int
    gpu: tuple[int, int] | None = None


def usage_of(folder: Path, gpu: tuple[int, int] | None) -> Usage:
    """What is in use where `folder` is, or will be."""
    memory = psutil.virtual_memory()
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    in_use = memory.total - memory.available
    return Usage((in_use, memory.total), shutil.disk_usage(there).free, gpu)
