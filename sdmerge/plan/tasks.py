"""Tasks: what is done for each tensor, as a tree of reads and merges, addressed by content.

Two tasks with the same key give the same bytes, whatever recipe they come from. That serves
previews (only changed tasks run again), grids, resume and `diff`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sdmerge.adapters.lora.forms import PLAIN, Form
from sdmerge.adapters.source import Space as Presented
from sdmerge.manifest import Space
from sdmerge.method import Values
from sdmerge.tensors.spec import TensorSpec


@dataclass(frozen=True, slots=True)
class Read:
    """The tensor as a source has it; `source` is its place in the plan's list."""

    source: int
    space: Presented = "weight"


@dataclass(frozen=True, slots=True)
class Apply:
    """What a LoRA of any kind, the source's, makes of the tensor that `to` gives.

    `weight` is its strength: W + weight · (W′ - W).
    """

    source: int
    to: Node
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Combine:
    """A method at work. An input that is None does not differ from the base.

    `names` are the inputs' aliases, in the inputs' order; they and `seed` (None for methods without
    chance) address the masks. `fit` is the place in the plan's list of what the method wants to
    know of other tensors.
    """

    method: str
    version: int
    space: Space
    inputs: tuple[Node | None, ...]
    names: tuple[str, ...]
    base: Node | None
    values: Values
    seed: int | None
    fit: int | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The tensor that stands under another name in what it is made of: of a layer that moved."""

    key: str
    node: Node


Node = Read | Combine | Apply | Moved


@dataclass(frozen=True, slots=True)
class Difference:
    """What a node has beyond another one, which a LoRA holds; `bounds` are those of its rank.

    `form` is as what a matrix's or a kernel's change is stored.
    """

    node: Node
    base: Node
    bounds: tuple[tuple[str, float], ...] = ()
    form: Form = PLAIN


@dataclass(frozen=True, slots=True)
class Task:
    """One tensor of the result: where it comes from and how it is stored.

    With a `seed` it is rounded by chance to its dtype, which is narrower than float32; else to the
    nearest.
    """

    key: str
    spec: TensorSpec
    node: Node | Difference
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """What a method wants to know of several tensors before the first is merged.

    `merges` are all it looks at by key, also those where nothing changes; `bases` what the stage
    starts from there. With a probe, `models` are the inputs as whole models and `seed` draws noise.
    """

    method: str
    version: int
    values: Values
    names: tuple[str, ...]
    probe: str | None
    seed: int | None
    merges: Mapping[str, Combine]
    bases: Mapping[str, Node]
    specs: Mapping[str, TensorSpec]
    blocks: Mapping[str, str]
    models: tuple[tuple[Task, ...], ...] = ()


ContentOf = Callable[[int, str], str]
"""(source, canonical key) → the content id of the file that holds it."""


def task_key(task: Task, content: ContentOf, fits: Sequence[str] = ()) -> str:
    """The task's content address: equal for tasks that give equal bytes."""
    node = node_key(task.node, task.key, content, fits)
    chance = ["stochastic", task.seed, task.key] if task.seed is not None else []
    return _digest("task", node, task.spec.dtype, list(task.spec.shape), *chance)


def node_key(
    node: Node | Difference | None, key: str, content: ContentOf, fits: Sequence[str] = ()
) -> str:
    """The content address of a node for the tensor `key`; `fits` are those of the plan's fits."""
    if node is None:
        return "base"
    if isinstance(node, Read):
        return _read_key(content(node.source, key), key, node.space)
    if isinstance(node, Apply):
        onto = node_key(node.to, key, content, fits)
        return _digest("apply", content(node.source, key), key, node.weight, onto)
    if isinstance(node, Moved):
        return node_key(node.node, node.key, content, fits)
    if isinstance(node, Difference):
        both = [node_key(one, key, content, fits) for one in (node.node, node.base)]
        return _digest("difference", *both, list(node.bounds), node.form.name, node.form.factor)
    inputs = [node_key(child, key, content, fits) for child in node.inputs]
    base = node_key(node.base, key, content, fits) if node.base is not None else ""
    chance = [node.seed, key, list(node.names)] if node.seed is not None else []
    fit = [fits[node.fit]] if node.fit is not None else []
    return _digest(
        "merge", node.method, node.version, inputs, base, list(node.values), chance, *fit
    )


def fit_key(fit: Fit, content: ContentOf, fits: Sequence[str]) -> str:
    """The content address of what a fit finds; `fits` are those of earlier ones."""

    def seen(node: Node | None, key: str) -> str:
        return node_key(node, key, content, fits)

    merges = [
        [key, fit.blocks[key], seen(fit.bases[key], key), *(seen(one, key) for one in node.inputs)]
        for key, node in sorted(fit.merges.items())
    ]
    models = [sorted(task_key(task, content, fits) for task in model) for model in fit.models]
    return _digest("fit", fit.method, fit.version, list(fit.values), fit.seed, merges, models)


@functools.lru_cache(maxsize=1 << 16)
def _read_key(content: str, key: str, space: Presented) -> str:
    """What stays the same while the values of a recipe change, plan after plan."""
    return _digest("read", content, key, space)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _digest(*parts: object) -> str:
    return hashlib.blake2b(_encode(parts).encode(), digest_size=16).hexdigest()


def children(node: Node | Difference | None) -> tuple[Node | None, ...]:
    """What a node is made of, one step down."""
    match node:
        case Combine():
            return (*node.inputs, node.base)
        case Difference():
            return (node.node, node.base)
        case Apply():
            return (node.to,)
        case Moved():
            return (node.node,)
        case _:
            return ()


def fits_below(node: Node | Difference | None) -> Iterator[int]:
    """The place of every fit that the node asks for."""
    if isinstance(node, Combine) and node.fit is not None:
        yield node.fit
    for child in children(node):
        yield from fits_below(child)


def reads(node: Node | Difference | None) -> Iterator[Read]:
    """Every read below `node`; what it applies is read as well."""
    return (read for read, _ in located(node, ""))


def located(node: Node | Difference | None, key: str) -> Iterator[tuple[Read, str]]:
    """Every read below `node`, and the tensor's name there."""
    if isinstance(node, Read):
        yield node, key
    elif isinstance(node, Apply):
        yield Read(node.source, "operator"), key
    below = node.key if isinstance(node, Moved) else key
    for child in children(node):
        yield from located(child, below)


def is_copy(node: Node | Difference) -> bool:
    """Whether a node gives a tensor as it was read."""
    return isinstance(node, Read) or (isinstance(node, Moved) and is_copy(node.node))


def merges(node: Node | Difference | None) -> Iterator[str]:
    """The methods at work below `node`, each as often as it is."""
    if isinstance(node, Combine):
        yield node.method
    for child in children(node):
        yield from merges(child)
