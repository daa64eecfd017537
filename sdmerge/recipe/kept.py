"""Kept: a recipe's text changed by a program, with the comments and the layout that people gave it.

What `edit.text_of` would write anew is put into the text that there is. Where that cannot be done,
or would not say exactly the same, the caller writes anew.
"""

# ruamel.yaml is typed in part
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Data = dict[str, Any]
_ITEM = re.compile(
    r"^( *)[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:[ ]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE
)
_WIDTH = 4096
"""So that no line is broken: ruamel.yaml would do it between a key and its value."""


def put_into(text: str, data: Sequence[Data]) -> str | None:
    """`text` with its documents changed to `data`; None where it has others, or cannot be kept."""
    yaml = _yaml(text)
    try:
        found = list(yaml.load_all(text))
        if len(found) != len(data) or not all(isinstance(one, dict) for one in found):
            return None
        for old, new in zip(found, data, strict=True):
            _mapping(old, new)
        written = io.StringIO()
        yaml.dump_all(found, written)
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        return None  # what only the one of the two libraries understands
    return written.getvalue()


def _yaml(text: str) -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    # None: what holds no other mapping or list is written on one line
    yaml.default_flow_style = None  # pyright: ignore[reportAttributeAccessIssue]
    yaml.width = _WIDTH
    found = _ITEM.search(text)
    offset = len(found[2]) - len(found[1]) if found else 0
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml


def _mapping(old: Any, new: Data) -> None:
    for key in [key for key in old if key not in new]:
        del old[key]
    for place, (key, value) in enumerate(new.items()):
        if key in old:
            _replace(old, key, value)
        else:
            old.insert(min(place, len(old)), key, value)


def _sequence(old: Any, new: list[Any]) -> None:
    """`old` made `new`: what both begin and end with stays where it is."""
    count = min(len(old), len(new))
    start = next((n for n in range(count) if not _alike(old[n], new[n])), count)
    end = next(
        (n for n in range(count - start) if not _alike(old[-1 - n], new[-1 - n])), count - start
    )
    gone, come = len(old) - start - end, len(new) - start - end
    for place in range(start, start + min(gone, come)):
        old[place] = new[place]
    for _ in range(gone - come):
        del old[start + come]
    for place in range(start + gone, start + come):
        old.insert(place, new[place])
    for place, value in enumerate(new):
        _replace(old, place, value)


def _replace(owner: Any, key: Any, value: Any) -> None:
    before = owner[key]
    if isinstance(before, dict) and isinstance(value, dict):
        _mapping(before, value)
    elif isinstance(before, list) and isinstance(value, list):
        _sequence(before, value)
    elif before != value or type(before) is bool is not type(value):
        owner[key] = value


def _alike(old: Any, new: Any) -> bool:
    """Whether two items of a list are the same one, changed at most: models by their path."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.get("model") == new.get("model")
    return old == new
