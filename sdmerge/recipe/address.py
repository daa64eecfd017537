"""Addresses: `models[ja].parameters.weight`, as `--set`, axes and sliders name a value."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sdmerge.errors import RecipeError, nearest
from sdmerge.recipe.aliases import aliases
from sdmerge.recipe.nodes import Node, parse_yaml

_STEP = re.compile(r"(?P<name>[^.\[\]]+)(?:\[(?P<index>[^\]]+)\])?(?:\.|$)")
_TOP = ("merge_method", "base_model", "parameters", "models", "components", "output", "dtype",
        "out_dtype", "seed", "apply", "evolve", "grid")  # fmt: skip


def apply_settings(documents: list[Node], settings: Sequence[str]) -> list[Node]:
    """`documents` with every `PATH=VALUE` of `settings` put in, in order; VALUE is YAML."""
    for setting in settings:
        path, equals, text = setting.partition("=")
        where = f"--set {setting}"
        if not equals or not path:
            raise RecipeError(
                "a setting is PATH=VALUE", where=where, hint="For example parameters.t=0.3."
            )
        value = parse_yaml(text, where)
        node = Node(value[0].value if value else None, where)
        documents = _put(documents, path.strip(), node, where)
    return documents


def _put(documents: list[Node], path: str, value: Node, where: str) -> list[Node]:
    steps = _steps(path, where)
    stage = len(documents) - 1
    names = {_name(document): position for position, document in enumerate(documents)}
    if steps[0][0] in names and len(steps) > 1:
        stage = names[steps.pop(0)[0]]
    if steps[0][0] not in _TOP:
        if len(steps) > 1:
            hint = f"{nearest(steps[0][0], [*_TOP, *names])} A path starts with: {', '.join(_TOP)}."
            raise RecipeError(f"there is no '{steps[0][0]}' in this recipe", where=where, hint=hint)
        steps.insert(0, ("parameters", None))
    changed = list(documents)
    changed[stage] = _replace(documents[stage], steps, value, where)
    return changed


def _name(document: Node) -> str:
    return _text(document, "name") or ""


def _steps(path: str, where: str) -> list[tuple[str, str | None]]:
    steps: list[tuple[str, str | None]] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise RecipeError(
                f"'{path}' is not a path",
                where=where,
                hint="For example models[1].parameters.weight.",
            )
        steps.append((match["name"], match["index"]))
        position = match.end()
    return steps


def _replace(node: Node, steps: list[tuple[str, str | None]], value: Node, where: str) -> Node:
    """`node` with the value at `steps` replaced; missing mappings on the way are made."""
    (name, index), rest = steps[0], steps[1:]
    fields = dict(node.value) if isinstance(node.value, dict) else {}
    if index is None:
        fields[name] = (
            _replace(fields.get(name, Node({}, where)), rest, value, where) if rest else value
        )
        return Node(fields, node.where)
    found = fields[name].value if name in fields else None
    if not isinstance(found, list):
        raise RecipeError(f"this recipe has no list '{name}'", where=where)
    items = list(found)
    position = _position(items, index, name, where)
    items[position] = _replace(items[position], rest, value, where) if rest else value
    fields[name] = Node(items, fields[name].where)
    return Node(fields, node.where)


def _position(items: list[Node], index: str, name: str, where: str) -> int:
    if index.isdigit() and int(index) < len(items):
        return int(index)
    names = aliases([(_text(item, "name"), _text(item, "model") or "") for item in items])
    if index in names:
        return names.index(index)
    hint = f"{nearest(index, names)} It has 0 to {len(items) - 1}: {', '.join(names)}.".strip()
    raise RecipeError(f"{name}[{index}] is not in this recipe", where=where, hint=hint)


def _text(item: Node, key: str) -> str | None:
    found = item.value.get(key) if isinstance(item.value, dict) else None
    return found.value if found is not None and isinstance(found.value, str) else None
