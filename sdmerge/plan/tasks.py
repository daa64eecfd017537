"""Tasks: what is done for each tensor, as a tree of reads and merges, addressed by content.

Two tasks with the same key give the same bytes, whatever recipe they come from. That serves
previews (only changed tasks run again), grids, resume and `diff`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sdmerge.manifest import Space
from sdmerge.params import Scalar
from sdmerge.tensors.spec import TensorSpec

Values = tuple[tuple[str, Scalar | tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """The tensor as a source has it; `source` is its place in the plan's list."""

    source: int
    space: Space = "weight"


@dataclass(frozen=True, slots=True)
class Combine:
    """A method at work. An input that is None does not differ from the base.

    `names` are the inputs' aliases, in the inputs' order; they and `seed` (None for methods without
    chance) address the masks.
    """

    method: str
    version: int
    space: Space
    inputs: tuple[Node | None, ...]
    names: tuple[str, ...]
    base: Node | None
    values: Values
    seed: int | None


Node = Read | Combine


@dataclass(frozen=True, slots=True)
class Task:
    """One tensor of the result: where it comes from and how it is stored."""

    key: str
    spec: TensorSpec
    node: Node


ContentOf = Callable[[int, str], str]
"""(source, canonical key) → the content id of the file that holds it."""


def task_key(task: Task, content: ContentOf) -> str:
    """The task's content address: equal for tasks that give equal bytes."""
    return _digest(
        "task", node_key(task.node, task.key, content), task.spec.dtype, list(task.spec.shape)
    )


def node_key(node: Node | None, key: str, content: ContentOf) -> str:
    """The content address of a node for the tensor `key`."""
    if node is None:
        return "base"
    if isinstance(node, Read):
        return _digest("read", content(node.source, key), key, node.space)
    inputs = [node_key(child, key, content) for child in node.inputs]
    base = node_key(node.base, key, content) if node.base is not None else ""
    chance = [node.seed, key, list(node.names)] if node.seed is not None else []
    return _digest("merge", node.method, node.version, inputs, base, list(node.values), chance)


def _digest(*parts: object) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def reads(node: Node | None) -> Iterator[Read]:
    """Every read below `node`."""
    if isinstance(node, Read):
        yield node
    elif node is not None:
        for child in (*node.inputs, node.base):
            yield from reads(child)
