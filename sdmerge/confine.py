"""Confine: whether all that a recipe names lies in folders that somebody opened for it.

A recipe that comes from a page may name any path of the machine. Links are followed first, so that
one inside of a folder does not lead out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sdmerge.errors import InputError
from sdmerge.manifest import manifest
from sdmerge.recipe import Recipe, Setting, Stage


class Confined:
    """Folders, and what is inside. Relative paths are looked for in the folders, in their order."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = tuple(dict.fromkeys(folder.absolute() for folder in folders))
        self._real = tuple(folder.resolve() for folder in self.folders)

    def allows(self, path: Path) -> bool:
        """Whether what `path` leads to, links followed, is inside."""
        real = path.resolve()
        return any(real.is_relative_to(folder) for folder in self._real)

    def check(self, text: str, where: str = "") -> None:
        """An InputError if `text` names something that is there, but outside.

        What is nowhere is left to whoever opens it, as is an id of the hub.
        """
        given = Path(text).expanduser()
        tried = [given] if given.is_absolute() else [one / given for one in self._places()]
        # before it is known whether anything is there: an outside path is not even told of
        outside = given.is_absolute() or ".." in given.parts
        if (outside and not self.allows(tried[0])) or any(
            path.exists() and not self.allows(path) for path in tried
        ):
            hint = f"Models may lie in: {', '.join(map(str, self.folders))}."
            raise InputError(
                f"'{text}' is outside of the folders of models", where=where, hint=hint
            )

    def check_recipe(self, recipe: Recipe) -> None:
        """An InputError at the line of the first path of the recipe that leads outside."""
        for stage in recipe.stages:
            for text, where in _paths(stage):
                self.check(text, where)

    def check_files(self, files: Iterable[Path]) -> None:
        """The same for files that were found: those of a folder may be links."""
        for file in files:
            if not self.allows(file):
                hint = f"Models may lie in: {', '.join(map(str, self.folders))}."
                raise InputError(
                    "leads outside of the folders of models", where=str(file), hint=hint
                )

    def _places(self) -> Sequence[Path]:
        """Where a plan looks for relative paths: the working folder too."""
        return (*self.folders, Path.cwd())


def _paths(stage: Stage) -> Iterator[tuple[str, str]]:
    """Every path that a stage may open, with its line; names of models among them do no harm."""
    for ref in stage.models:
        yield ref.path, ref.where
        yield from _texts(stage.method, ref.parameters.items())
    if stage.base is not None:
        yield stage.base, stage.where
    for one in stage.apply:
        yield one.path, one.where
    for rule in stage.components.values():
        if rule.take is not None:
            yield rule.take, rule.where
        yield from _texts(rule.method or stage.method, rule.parameters.items())
    yield from _texts(stage.method, stage.parameters.items())


def _texts(method: str, settings: Iterable[tuple[str, Setting]]) -> Iterator[tuple[str, str]]:
    """Files of lines that parameters name."""
    for name, setting in settings:
        if manifest()[method].param(name).kind != "lines":
            continue
        for rule in setting:
            if isinstance(rule.value, str) and "\n" not in rule.value and rule.value:
                yield rule.value, rule.where
