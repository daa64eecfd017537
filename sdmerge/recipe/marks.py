"""Marks: `{search: [0.0, 1.5], init: 0.5, per: block}`, wherever a recipe has a value to search."""

from __future__ import annotations

import math
from collections.abc import Callable

from sdmerge.errors import MethodError, nearest
from sdmerge.params import Param, Scalar
from sdmerge.recipe.model import GROUPINGS, Search
from sdmerge.recipe.nodes import Node, describe

_OPTIONS = ("search", "init", "per", "log", "tie", "simplex")
Check = Callable[[Node], Scalar]


def is_mark(node: Node | None) -> bool:
    """Whether a search is written here instead of a value."""
    return node is not None and isinstance(node.value, dict) and "search" in node.value


def read_mark(node: Node, param: Param) -> Search:
    """The search over a parameter; its ends, choices and start are checked against its limits."""
    if param.kind in ("text", "lines"):
        raise node.error(f"{param.name} is text, which cannot be searched")
    if param.kind in ("choice", "bool"):
        return read_choices(node, lambda child: read_scalar(child, param))
    return _read_range(node, param)


def read_choices(node: Node, check: Check, *, per: bool = True) -> Search:
    """A search over words or switches; `check` reads one, and complains of a wrong one."""
    fields = node.mapping("a search", _OPTIONS)
    choices = tuple(check(child) for child in fields["search"].sequence("search"))
    if len(set(choices)) < 2 or len(set(choices)) < len(choices):
        hint = "For example {search: [ties, dare_ties]}."
        raise fields["search"].error("a search needs two choices or more, each once", hint)
    for option in ("log", "simplex"):
        if option in fields:
            raise fields[option].error(f"a choice has no {option}", "It is for numbers.")
    init = check(fields["init"]) if "init" in fields else choices[0]
    if init not in choices:
        raise fields["init"].error(f"init = {init} is none of the choices")
    group = _read_per(fields, allowed=per)
    return Search(0.0, 0.0, init, group, tie=_word(fields, "tie"), choices=choices)


def read_single(node: Node, param: Param) -> Search:
    """A search over what is one value for the whole model."""
    found = read_mark(node, param)
    if found.per:
        raise node.error(f"{param.name} is one value here", "Leave out 'per'.")
    return found


def _read_range(node: Node, param: Param) -> Search:
    fields = node.mapping("a search", _OPTIONS)
    bounds = fields["search"].sequence("search")
    if len(bounds) != 2:
        raise fields["search"].error("search should be [lowest, highest]")
    low, high = (_number(bound, param) for bound in bounds)
    if low >= high:
        raise fields["search"].error(
            f"search goes from {low:g} to {high:g}", "The lowest comes first."
        )
    log = "log" in fields and fields["log"].switch("log")
    if log and low <= 0:
        raise fields["log"].error("a logarithmic search needs bounds above 0")
    simplex = _word(fields, "simplex")
    if simplex and (low < 0 or param.kind == "int"):
        raise fields["simplex"].error("shares are numbers from 0 on, which may be fractions")
    middle = math.sqrt(low * high) if log else (low + high) / 2
    start = round(middle) if param.kind == "int" else middle
    init = _number(fields["init"], param) if "init" in fields else start
    if not low <= init <= high:
        raise fields["init"].error(f"init = {init:g} is outside the search {low:g}..{high:g}")
    return Search(low, high, init, _read_per(fields), log, _word(fields, "tie"), simplex)


def _read_per(fields: dict[str, Node], *, allowed: bool = True) -> str:
    if "per" not in fields:
        return ""
    if not allowed:
        raise fields["per"].error("this is one value for the whole merge", "Leave out 'per'.")
    return read_grouping(fields["per"])


def read_grouping(node: Node) -> str:
    """What a value is one per."""
    word = node.text("per")
    if word not in GROUPINGS:
        hint = f"{nearest(word, GROUPINGS)} One of: {', '.join(GROUPINGS)}."
        raise node.error(f"per: {word}", hint.strip())
    return word


def _word(fields: dict[str, Node], name: str) -> str:
    if name not in fields:
        return ""
    word = fields[name].text(name)
    if "/" in word:  # what divides a gene's name from its group
        raise fields[name].error(f"{name} is a name without slashes")
    return word


def _number(node: Node, param: Param) -> float:
    value = read_scalar(node, param)
    if isinstance(value, bool | str):
        raise node.error(f"{param.name} should be a number, not {describe(node.value)}")
    return value


def read_scalar(node: Node, param: Param) -> Scalar:
    """One value, checked against the parameter's limits; the complaint says where it is written."""
    try:
        return param.check(node.value)
    except MethodError as error:
        raise node.error(error.what, error.hint) from None
