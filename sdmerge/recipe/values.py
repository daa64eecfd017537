"""What a parameter may be in YAML: a number, a curve, rules, a number per group, a search."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from sdmerge.errors import RecipeError, nearest
from sdmerge.params import Param
from sdmerge.recipe.lbw import LBW_PRESETS
from sdmerge.recipe.marks import read_grouping, read_mark, read_scalar
from sdmerge.recipe.model import (
    GROUPINGS,
    Gradient,
    Grouped,
    Lbw,
    Mbw,
    Preset,
    Rule,
    Setting,
    Value,
)
from sdmerge.recipe.nodes import Node
from sdmerge.recipe.presets import PRESETS, row

_CURVES = ("mbw", "lbw", "preset", "search", "values")


def read_setting(node: Node, param: Param) -> Setting:
    """The rules that `node` gives for `param`; every value is checked against its limits."""
    if isinstance(node.value, list) and any(_is_rule(child) for child in node.value):
        rules = tuple(_read_rule(child, param) for child in node.value)
        _refuse_shadowed(rules)
        return rules
    if _is_rule(node):
        return (_read_rule(node, param),)
    return (Rule(read_value(node, param), where=node.where),)


def _is_rule(node: Node) -> bool:
    return isinstance(node.value, dict) and ("value" in node.value or "filter" in node.value)


def _read_rule(node: Node, param: Param) -> Rule:
    fields = node.mapping(f"a rule of {param.name}", ("filter", "value"))
    if "value" not in fields:
        raise node.error(f"a rule of {param.name} needs a value")
    where = fields["filter"].where if "filter" in fields else node.where
    name = fields["filter"].text("filter") if "filter" in fields else None
    return Rule(read_value(fields["value"], param), name if name != "*" else None, where)


def _refuse_shadowed(rules: Setting) -> None:
    """An early rule without a filter takes everything; rules below it would never be used."""
    for above, below in itertools.pairwise(rules):
        if above.filter is None:
            hint = f"The rule at {above.where} takes every tensor, having no filter; move it down."
            raise RecipeError("this rule is never reached", where=below.where, hint=hint)


def read_value(node: Node, param: Param) -> Value:
    """One value: a scalar, a list (a gradient), or a mapping such as `{mbw: …}`."""
    if isinstance(node.value, dict):
        return _read_curve(node, node.value, param)
    if isinstance(node.value, list) and param.kind == "lines":
        return "".join(f"{child.text(param.name)}\n" for child in node.sequence(param.name))
    if isinstance(node.value, list):
        points = tuple(_read_number(child, param) for child in node.value)
        if len(points) < 2:
            hint = "Write one number without brackets."
            raise node.error("a gradient needs two points or more", hint)
        return Gradient(points)
    return read_scalar(node, param)


def _read_curve(node: Node, fields: dict[str, Node], param: Param) -> Value:
    kinds = [kind for kind in _CURVES if kind in fields]
    if not kinds:
        given = ", ".join(fields)
        hint = f"{nearest(given, _CURVES)} It is a number, a list, or one of: {', '.join(_CURVES)}."
        raise node.error(f"{{{given}}} is not a value of {param.name}", hint.strip())
    if kinds[0] == "search":
        return read_mark(node, param)
    if kinds[0] == "values":
        return _read_grouped(node, param)
    if param.kind not in ("float", "int"):
        raise node.error(f"{param.name} is not a number and cannot follow a curve")
    if kinds[0] == "mbw":
        row = node.mapping("mbw", ("mbw",))["mbw"]
        return Mbw(tuple(_read_number(child, param) for child in _row(row, "mbw")))
    if kinds[0] == "lbw":
        return _read_lbw(node.mapping("lbw", ("lbw", "strength")), param)
    return _read_preset(node.mapping("preset", ("preset",))["preset"], param)


def _read_grouped(node: Node, param: Param) -> Grouped:
    """`{per: block, values: {IN00: 0.3, …}}`; the plan checks the labels, which are the files'."""
    fields = node.mapping("values", ("per", "values"))
    if "per" not in fields:
        hint = f"Write {{per: block, values: …}}; or per {', '.join(GROUPINGS[1:])}."
        raise node.error("these values do not say what they are per", hint)
    per = read_grouping(fields["per"])
    values = fields["values"].mapping("values")
    if param.kind in ("text", "lines") or not values:
        raise node.error(f"{param.name} takes no values per {per}" if values else "no values here")
    return Grouped(per, {label: read_scalar(child, param) for label, child in values.items()})


def _row(node: Node, what: str) -> list[Node]:
    """The numbers of a row of block weights, written as a list or with commas between."""
    if not isinstance(node.value, str):
        return node.sequence(what)
    try:
        return [Node(float(part), node.where) for part in node.value.split(",")]
    except ValueError:
        raise node.error(f"{what} should be numbers with commas between") from None


def _read_lbw(fields: dict[str, Node], param: Param) -> Lbw:
    strength = fields["strength"].number("strength") if "strength" in fields else 1.0
    node = fields["lbw"]
    name = node.value.strip().upper() if isinstance(node.value, str) else ""
    if name in LBW_PRESETS:
        _check_scaled(LBW_PRESETS[name], strength, node, param)
        return Lbw(name, strength)
    if isinstance(node.value, str) and "," not in node.value:
        hint = f"{nearest(name, LBW_PRESETS)} Known: {', '.join(LBW_PRESETS)}."
        raise node.error(f"there are no block weights '{node.value}'", hint.strip())
    numbers = tuple(child.number("a block weight") for child in _row(node, "lbw"))
    _check_scaled(numbers, strength, node, param)
    return Lbw(numbers, strength)


def _check_scaled(numbers: Iterable[float], strength: float, node: Node, param: Param) -> None:
    """Block weights times the strength are what has to lie within the limits."""
    for number in numbers:
        _read_number(Node(strength * number, node.where), param)


def _read_preset(node: Node, param: Param) -> Preset:
    name = node.text("preset").upper()
    if name not in PRESETS:
        hint = f"{nearest(name, PRESETS)} Known: {', '.join(PRESETS)}."
        raise node.error(f"there is no preset '{name}'", hint.strip())
    for number in row(name):
        _read_number(Node(number, node.where), param)
    return Preset(name)


def _read_number(node: Node, param: Param) -> float:
    """A point of a curve; one of a whole number's curve may lie between whole numbers."""
    value = read_scalar(node, replace(param, kind="float") if param.kind == "int" else param)
    if isinstance(value, bool | str):
        raise node.error(f"{param.name} is not a number and cannot follow a curve")
    return float(value)
