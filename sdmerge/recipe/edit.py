"""Edits: a recipe's text as plain data, changed, and put back. Nothing is checked but YAML.

A draft may name models that are not there yet and parameters of the method before: `parse_recipe`
says what is wrong with it, these functions keep it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from sdmerge.errors import RecipeError
from sdmerge.recipe.address import apply_settings
from sdmerge.recipe.kept import put_into
from sdmerge.recipe.nodes import Dumper, parse_yaml


def documents(text: str, name: str = "recipe") -> list[dict[str, Any]]:
    """The documents of a recipe, as plain mappings; a RecipeError with the line if it is none."""
    found = [node.plain() for node in parse_yaml(text, name) if node.value is not None]
    if not all(isinstance(one, dict) for one in found):
        raise RecipeError("a recipe is a mapping", where=name, hint="Begin with merge_method.")
    return found


def text_of(data: Sequence[dict[str, Any]]) -> str:
    """The documents as YAML, written anew."""
    return yaml.dump_all(
        data, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )


def rewritten(text: str, data: Sequence[dict[str, Any]]) -> str:
    """`text` with its documents changed to `data`; comments and layout stay where they can."""
    if data == documents(text):
        return text
    found = put_into(text, data)
    try:
        if found is not None and documents(found) == [*data]:
            return found
    except RecipeError:
        pass
    return text_of(data)


def edited(text: str, settings: Sequence[str]) -> str:
    """The text with every PATH=VALUE of `settings`, as `--set` has them, put in."""
    nodes = apply_settings(parse_yaml(text, "recipe"), settings)
    return rewritten(text, [node.plain() for node in nodes])


def address_of(text: str, where: str) -> str:
    """What stands at `recipe:LINE` of the text, as an address: `models[1].parameters.weight`.

    The deepest value of that line; '' where there is none.
    """
    try:
        nodes = parse_yaml(text, where.rpartition(":")[0])
    except RecipeError:
        return ""
    found = [path for node in nodes for path, line in node.lines("") if line == where]
    return max(found, key=len, default="").removeprefix(".")
