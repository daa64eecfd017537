"""Aliases: what a recipe's models are called where it gives them no name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


def aliases(models: Sequence[tuple[str | None, str]]) -> list[str]:
    """A name for each (given name, path): the given one, else the file's stem, with #2 if taken."""
    taken = {name for name, _ in models if name is not None}
    found: list[str] = []
    for given, path in models:
        name = given if given is not None else _free(stem(path), taken)
        taken.add(name)
        found.append(name)
    return found


def stem(path: str) -> str:
    """The last part of a path or hub id, without the suffix of a model file."""
    last = PurePosixPath(path.replace("\\", "/")).name or path
    return next((last.removesuffix(end) for end in _SUFFIXES if last.endswith(end)), last)


def _free(name: str, taken: set[str]) -> str:
    count, free = 1, name
    while free in taken:
        count += 1
        free = f"{name}#{count}"
    return free
