"""YAML as nodes that remember their line, so that every complaint can say where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from sdmerge.errors import RecipeError, nearest


@dataclass(frozen=True, slots=True)
class Node:
    """A YAML value and the place it was written. `value` is a dict or list of nodes, or a scalar."""

    value: Any
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

    def plain(self) -> Any:
        """The node as ordinary Python values."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


def describe(value: Any) -> str:
    """A YAML value in words, short enough for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return repr(value)


def parse_yaml(text: str, name: str) -> list[Node]:
    """The documents of `text`; `name` is the file, for messages."""
    loader = yaml.SafeLoader(text)
    try:
        documents: list[Node] = []
        while loader.check_node():
            documents.append(_node(loader, loader.get_node(), name))
        return documents
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        problem = getattr(error, "problem", None) or str(error)
        raise RecipeError(f"this is not YAML: {problem}", where=where) from None
    finally:
        loader.dispose()


def to_nodes(value: Any, where: str) -> Node:
    """Python values as nodes that all say `where`."""
    if isinstance(value, dict):
        items: dict[Any, Any] = value
        return Node({str(key): to_nodes(child, where) for key, child in items.items()}, where)
    if isinstance(value, list | tuple):
        children: Iterable[Any] = value
        return Node([to_nodes(child, where) for child in children], where)
    return Node(value, where)


def _node(loader: Any, node: Any, name: str) -> Node:
    where = f"{name}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        found: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = str(loader.construct_object(key_node, deep=True))
            line = f"{name}:{key_node.start_mark.line + 1}"
            if key in found:
                raise RecipeError(f"'{key}' is given twice", where=line)
            child = _node(loader, value_node, name)
            found[key] = (
                Node(child.value, line) if not isinstance(child.value, dict | list) else child
            )
        return Node(found, where)
    if isinstance(node, yaml.SequenceNode):
        return Node([_node(loader, child, name) for child in node.value], where)
    return Node(loader.construct_object(node, deep=True), where)
