"""YAML as nodes that remember their line, so that every complaint can say where."""

# PyYAML is typed in part
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from sdmerge.errors import RecipeError, nearest

MOST_VALUES = 20_000
"""Values a recipe may have: a few lines of aliases within aliases could stand for billions."""


@dataclass(frozen=True, slots=True)
class Node:
    """A YAML value and the place it was written: its key's line, for a value that has a key."""

    value: dict[str, Node] | list[Node] | bool | int | float | str | None
    where: str

    def error(self, what: str, hint: str = "") -> RecipeError:
        """A RecipeError at this node's line."""
        return RecipeError(what, where=self.where, hint=hint)

    def mapping(self, what: str, known: Iterable[str] | None = None) -> dict[str, Node]:
        """The node as a mapping; keys outside `known` are an error with the nearest word."""
        if not isinstance(self.value, dict):
            raise self.error(f"{what} should be a mapping, not {describe(self.value)}")
        if known is not None:
            words = list(known)
            for key, child in self.value.items():
                if key not in words:
                    hint = f"{nearest(key, words)} Known here: {', '.join(words)}."
                    raise child.error(f"{what} has no key '{key}'", hint.strip())
        return self.value

    def sequence(self, what: str) -> list[Node]:
        """The node as a list."""
        if not isinstance(self.value, list):
            raise self.error(f"{what} should be a list, not {describe(self.value)}")
        return self.value

    def text(self, what: str) -> str:
        """The node as a non-empty string."""
        if not isinstance(self.value, str) or not self.value:
            raise self.error(f"{what} should be a text, not {describe(self.value)}")
        return self.value

    def integer(self, what: str) -> int:
        """The node as a whole number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.error(f"{what} should be a whole number, not {describe(self.value)}")
        return self.value

    def number(self, what: str) -> float:
        """The node as a number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error(f"{what} should be a number, not {describe(self.value)}")
        return float(self.value)

    def switch(self, what: str) -> bool:
        """The node as true or false."""
        if not isinstance(self.value, bool):
            raise self.error(f"{what} should be true or false, not {describe(self.value)}")
        return self.value

    def plain(self) -> Any:
        """The node as ordinary Python values."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def lines(self, path: str) -> Iterator[tuple[str, str]]:
        """Where the node and all below it are written, by path: `path.key[0]`."""
        yield path, self.where
        if isinstance(self.value, dict):
            for key, child in self.value.items():
                yield from child.lines(f"{path}.{key}")
        elif isinstance(self.value, list):
            for place, child in enumerate(self.value):
                yield from child.lines(f"{path}[{place}]")


def describe(value: object) -> str:
    """A YAML value in words, short enough for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return repr(value)


class Loader(yaml.SafeLoader):
    """PyYAML's loader, to which 1e-3 is a number, as it is to everybody else."""


class Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads back."""


for _reader in (Loader, Dumper):
    _reader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )


def parse_yaml(text: str, name: str) -> list[Node]:
    """The documents of `text`; `name` is the file, for messages."""
    try:
        return list(_documents(text, name))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        problem = getattr(error, "problem", None) or str(error)
        raise RecipeError(f"this is not YAML: {problem}", where=where) from None
    except RecursionError:
        raise RecipeError("this is nested too deep, or in itself", where=name) from None


def to_nodes(
    value: Any, where: str, path: str = "", lines: Mapping[str, str] | None = None
) -> Node:
    """Python values as nodes that say `where`, or what `lines` has for their paths below `path`."""
    at = lines.get(path, where) if lines else where
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value)
        named = {str(key): child for key, child in items.items()}
        return Node(
            {key: to_nodes(child, at, f"{path}.{key}", lines) for key, child in named.items()}, at
        )
    if isinstance(value, list | tuple):
        children = enumerate(cast("Iterable[object]", value))
        return Node([to_nodes(child, at, f"{path}[{n}]", lines) for n, child in children], at)
    return Node(value, at)


def _documents(text: str, name: str) -> Iterator[Node]:
    loader = Loader(text)
    try:
        builder = _Builder(loader, name)
        while loader.check_node():
            yield builder.build(loader.get_node())
    finally:
        loader.dispose()


class _Builder:
    """Makes nodes of PyYAML's, which know their place in the text."""

    def __init__(self, loader: Loader, name: str) -> None:
        self._loader = loader
        self._name = name
        self._count = itertools.count(1)

    def build(self, node: Any, line: str = "") -> Node:
        """The node, said to be at `line` if that is given, else where its value begins."""
        where = line or self._line(node)
        if next(self._count) > MOST_VALUES:
            raise RecipeError(f"this has more than {MOST_VALUES:,} values", where=self._name)
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node), where)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.build(child) for child in node.value], where)
        return Node(self._loader.construct_object(node, deep=True), where)

    def _mapping(self, node: Any) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            line = self._line(key_node)
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged |= self._merged(self.build(value_node, line))
                continue
            key = str(self._loader.construct_object(key_node, deep=True))
            if key in own:
                raise RecipeError(f"'{key}' is given twice", where=line)
            own[key] = self.build(value_node, line)
        return {**merged, **own}

    @staticmethod
    def _merged(node: Node) -> dict[str, Node]:
        """What `<<: *one` or `<<: [*one, *two]` brings in; the first of a list wins."""
        found: dict[str, Node] = {}
        for part in node.value if isinstance(node.value, list) else [node]:
            found = {**part.mapping("<<"), **found}
        return found

    def _line(self, node: Any) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"
