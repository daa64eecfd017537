"""The files of a study's models, and what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sdmerge.recipe import Recipe


class Models:
    """Plans recipes, and knows of every file that the plans were made of.

    A file goes by the name of its model in the recipe that came first with it.
    """

    def __init__(self, plan_of: Callable[[Recipe], Any]) -> None:
        self._plan_of = plan_of
        self._files: dict[str, Path] = {}
        self._cache: Path | None = None

    def __call__(self, recipe: Recipe) -> Any:
        """The plan of a recipe."""
        plan = self._plan_of(recipe)
        known = set(self._files.values())
        for one in plan.inputs:
            for file in one.files:
                if file not in known:
                    name = _name(one.written, one.path, file)
                    # two recipes may call two files alike
                    self._files[str(file) if name in self._files else name] = file
        self._cache = plan.cache
        return plan

    def hashes(self) -> dict[str, str]:
        """The sha256 of every file by its name; what the cache remembers is not read again."""
        from sdmerge.tensors.content import hashes_of

        found = hashes_of(list(self._files.values()), self._cache)
        return {name: found[file] for name, file in self._files.items()}


def _name(written: str, model: Path, file: Path) -> str:
    inside = file.relative_to(model).as_posix() if file.is_relative_to(model) else "."
    return written if inside == "." else f"{written.rstrip('/')}/{inside}"
