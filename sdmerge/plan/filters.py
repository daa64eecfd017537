"""Filters: which tensors a rule takes.

A word is, in this order: a component, a block or a range of blocks, a class, a glob, a part of the
name; `re:…` is a regular expression.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sdmerge.errors import PlanError
from sdmerge.plan.anatomy import Anatomy

Test = Callable[[str], bool]


def _part(pattern: str) -> Test:
    found = re.compile(pattern)
    return lambda key: found.search(key) is not None


CLASSES: Mapping[str, Test] = {
    "attn": _part(r"\b(self_attn|cross_attn|attn\d*|attention|attentions\.\d+\.to_\w+)\."),
    "self_attn": _part(r"\b(self_attn|attn1|attentions\.\d+\.to_\w+)\."),
    "cross_attn": _part(r"\b(cross_attn|attn2)\."),
    "mlp": _part(r"\b(mlp|ff|ff_context|feed_forward)\."),
    "conv": _part(r"\b(\w*_)?conv(?!_norm)\w*\."),
    "norm": _part(r"norm\w*\.(weight|bias)$"),
    "bias": _part(r"\bbias$|_bias$"),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter; `span` is its range of block indices or `component` its component."""

    test: Test
    span: tuple[int, int] | None = None
    component: str | None = None


def compile_filter(word: str, model: Anatomy, where: str) -> Filter:
    """The filter that `word` means for `model`; a range or expression may be a PlanError."""
    if word in model.components:
        return Filter(lambda key: model.component_of(key) == word, component=word)
    blocks = _blocks(word, model, where)
    if blocks is not None:
        return blocks
    if word in CLASSES:
        return Filter(CLASSES[word])
    if word.startswith("re:"):
        try:
            return Filter(_part(word[3:]))
        except re.error as error:
            raise PlanError(f"'{word}' is not a regular expression: {error}", where=where) from None
    if any(sign in word for sign in "*?["):
        return Filter(lambda key: fnmatch.fnmatchcase(key, word))
    return Filter(lambda key: word in key)


def _blocks(word: str, model: Anatomy, where: str) -> Filter | None:
    labels = {label.upper(): label for label in (*model.blocks, *model.block_of.values()) if label}
    labels.setdefault("MID", labels.get("M00", ""))
    single = labels.get(word.upper())
    if single:
        return Filter(lambda key: model.block_of[key] == single)
    first, dash, last = word.upper().partition("-")
    ends = labels.get(first), labels.get(last)
    if not dash or ends[0] not in model.blocks or ends[1] not in model.blocks:
        return None
    low, high = (model.blocks.index(str(end)) for end in ends)
    if low > high:
        hint = f"The order is {model.blocks[0]} … {model.blocks[-1]}: write {last}-{first}."
        raise PlanError(f"the range {word} runs backwards", where=where, hint=hint)
    inside = set(model.blocks[low : high + 1])
    return Filter(lambda key: model.block_of[key] in inside, span=(low, high))
