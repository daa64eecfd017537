"""Structural: files of no known family. Equal key sets merge as they are, whatever they are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sdmerge.adapters.mapped import MappedSource
from sdmerge.errors import FileError
from sdmerge.families.blocks import Blocks
from sdmerge.families.family import Family
from sdmerge.families.keymap import identity
from sdmerge.tensors.store import TensorStore

_NUMBERED = re.compile(r"(?P<stack>.*?)\.(?P<layer>\d+)\.")
NAME = "structural"


@dataclass(frozen=True)
class StructuralFamily(Family):
    """A family of one file: no components, and depth read off its largest numbered stack."""

    def block(self, key: str) -> str:
        """`L07` for the seventh layer of the stack, BASE for everything outside it."""
        return self.depth.label(key)


def structural_source(path: Path, store: TensorStore) -> MappedSource:
    """The tensors of `store` under their own names."""
    if not any(spec.is_float for spec in store.specs.values()):
        raise FileError("holds no weights", where=str(path))
    names = {key: key for key in store.specs}
    return MappedSource(
        path, {"": store}, identity(store.specs, names), family=_family(names), layout=NAME
    )


def _family(keys: Iterable[str]) -> StructuralFamily:
    return StructuralFamily(
        name=NAME,
        title="a model of unknown family",
        architecture="",
        pipeline="",
        components=(),
        depth=_depth(keys),
        scheduler={},
    )


def _depth(keys: Iterable[str]) -> Blocks:
    """The numbered stack with the most tensors, as blocks L00, L01, …"""
    stacks: defaultdict[str, list[int]] = defaultdict(list)
    for key in keys:
        if match := _NUMBERED.match(key):
            stacks[match["stack"]].append(int(match["layer"]))
    stack = max(stacks, key=lambda name: len(stacks[name]), default="")
    count = max(stacks.get(stack, [-1])) + 1

    def label(key: str) -> str:
        match = _NUMBERED.match(key)
        return f"L{int(match['layer']):02d}" if match and match["stack"] == stack else "BASE"

    return Blocks(tuple(f"L{layer:02d}" for layer in range(count)), label)
