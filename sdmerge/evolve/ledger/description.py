"""study.yaml: everything that decides which scores come out, so that no run mixes two searches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from sdmerge.errors import CorruptFile
from sdmerge.recipe import Recipe, parse_recipe, to_yaml
from sdmerge.recipe.nodes import Dumper

STUDY = "study.yaml"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Description:
    """What a study is.

    recipe: With its search marks. folder: Where its relative paths start; in the file it may be
        relative itself, to the study's folder, so that both can be moved together.
    fixed: All else that changes scores or their order, as plain data by name: the seed, the batch,
        scorers, prompts by their content, the engine with its parameters.
    files: The sha256 of every file of its models, by name; empty where it was not looked at.
    """

    recipe: str
    folder: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    files: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(
        cls, recipe: Recipe, fixed: Mapping[str, Any], files: Mapping[str, str] | None = None
    ) -> Description:
        """The description of a search on `recipe`."""
        folder = str(recipe.folder.resolve()) if recipe.folder is not None else ""
        return cls(to_yaml(recipe), folder, _plain(fixed), dict(files or {}))

    def read_recipe(self) -> Recipe:
        """The recipe, its paths as they were meant."""
        folder = Path(self.folder) if self.folder else None
        return parse_recipe(self.recipe, "study.yaml", folder)

    def text(self) -> str:
        """The text of study.yaml."""
        data: dict[str, Any] = {"version": VERSION, "folder": self.folder, **self.fixed}
        if self.files:
            data["files"] = dict(self.files)
        data["recipe"] = self.recipe
        return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)

    def changes(self, other: Description) -> list[str]:
        """What `other` has otherwise, in words, line by line; the folder may have moved."""
        told = [
            f"{name}: {_short(old)} there, {_short(new)} now"
            for name, old, new in _pairs("", self.fixed, other.fixed)
            if old != new
        ]
        changed = self.changed_files(other.files)
        return [*told, *changed, *_lines_apart(self.recipe, other.recipe)]

    def changed_files(self, now: Mapping[str, str]) -> list[str]:
        """The files of models that are not what they were, in words; none if nobody looked then."""
        if not self.files:
            return []
        return [
            f"{name} {_became(self.files.get(name), now.get(name))}"
            for name in dict.fromkeys((*self.files, *now))
            if self.files.get(name) != now.get(name)
        ]


def read(path: Path) -> Description:
    """The description in a file; a CorruptFile if it is none."""
    hint = "Take the file from a copy."
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
        fixed = dict(data)
        version, folder, recipe = fixed.pop("version"), fixed.pop("folder"), fixed.pop("recipe")
        files = dict(fixed.pop("files", {}))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise CorruptFile(f"describes no study: {error}", where=str(path), hint=hint) from None
    if version != VERSION:
        hint = "Use the version of sdmerge that began it."
        raise CorruptFile(f"is of version {version}, not {VERSION}", where=str(path), hint=hint)
    start = str(path.parent / folder) if folder else ""
    return Description(str(recipe), start, fixed, files)


class _Dumper(Dumper):
    """Writes texts of several lines as they look."""


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _text_node)  # pyright: ignore[reportUnknownMemberType]


def _plain(value: Any) -> Any:
    """What YAML gives back, so that a description read again equals the one that was written."""
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(name): _plain(one) for name, one in items}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in cast("list[object]", value)]
    return str(value) if isinstance(value, Path) else value


def _pairs(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for key in dict.fromkeys((*old, *new)):
        one, other = old.get(key), new.get(key)
        path = f"{name}.{key}" if name else key
        if isinstance(one, dict) and isinstance(other, dict):
            deeper = cast("tuple[dict[str, Any], dict[str, Any]]", (one, other))
            yield from _pairs(path, *deeper)
        else:
            yield path, one, other


def _became(old: str | None, new: str | None) -> str:
    """What became of a file, by its hashes."""
    if old is None or new is None:
        return "is gone" if new is None else "was not there"
    return "has changed since the study began"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _lines_apart(old: str, new: str) -> list[str]:
    """The recipe's lines that are only in one of the two."""
    before, after = old.splitlines(), new.splitlines()
    gone = [line.strip() for line in before if line not in after]
    come = [line.strip() for line in after if line not in before]
    if not gone and not come:
        return [] if old == new else ["recipe: its lines stand in another order"]
    there, now = (_short("; ".join(lines) or "nothing") for lines in (gone, come))
    return [f"recipe: {there} there, {now} now"]
