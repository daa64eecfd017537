"""Ranks: how much of each change a LoRA keeps, and what that takes on disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sdmerge.adapters.lora.forms import PLAIN, Form
from sdmerge.bounds import Bounds
from sdmerge.errors import InputError
from sdmerge.params import Scalar
from sdmerge.plan.tasks import Difference, Task
from sdmerge.tensors.space import parse_size
from sdmerge.tensors.spec import TensorSpec

Bound = tuple[tuple[str, float], ...]
"""Bounds as values, for a task's address."""

_PER_TENSOR, _PER_FILE = 220, 1 << 16
"""Bytes of a header: a name, a dtype, a shape and offsets for each tensor, and the metadata."""


def is_matrix(key: str, shape: Sequence[int]) -> bool:
    """Whether a LoRA holds a weight's change as a product: not of biases, norms and embeddings."""
    return len(shape) >= 2 and not key.endswith("embedding.weight")


def bounds_by_key(
    asked: Mapping[str, Scalar], specs: Mapping[str, TensorSpec], form: Form
) -> dict[str, Bound]:
    """The bounds of every matrix's rank, as values; a size becomes the rank that fits."""
    matrices = {key: spec for key, spec in specs.items() if is_matrix(key, spec.shape)}
    shared = {
        name: float(asked[name])
        for name in ("energy", "error", "ratio", "quantile")
        if name in asked
    }
    linear = int(asked["rank"]) if "rank" in asked else None
    conv = int(asked["conv_rank"]) if "conv_rank" in asked else None
    if "size" in asked:
        fits = rank_that_fits(parse_size(str(asked["size"])), specs, linear, conv, form)
        linear = min(fits, linear or fits)
    found: dict[str, Bound] = {}
    for key, spec in matrices.items():
        rank = _rank(spec, linear, conv)
        own = {**shared, "rank": float(rank)} if rank is not None else shared
        found[key] = tuple(own.items())
    return found


def bounds_of(values: Bound) -> Bounds:
    """The bounds that a task carries."""
    given = dict(values)
    rank = given.pop("rank", None)
    return Bounds(rank=None if rank is None else int(rank), **given)


def rank_that_fits(
    size: int,
    specs: Mapping[str, TensorSpec],
    linear: int | None,
    conv: int | None,
    form: Form = PLAIN,
) -> int:
    """The largest rank at which the file is no larger than `size`; an InputError if none is."""
    low, high = 0, max(linear or 0, *(min(_sides(spec)) for spec in specs.values()))
    while low < high:
        middle = (low + high + 1) // 2
        if file_bytes(specs, middle, conv, form) <= size:
            low = middle
        else:
            high = middle - 1
    if low == 0:
        least = file_bytes(specs, 1, conv, form)
        hint = "Ask for more, or leave components out."
        raise InputError(f"{size:,} bytes are too few: at rank 1 it has {least:,}", hint=hint)
    return low


def file_bytes(
    specs: Mapping[str, TensorSpec], linear: int | None, conv: int | None, form: Form = PLAIN
) -> int:
    """The most that a LoRA of these ranks takes on disk; None: full ranks."""
    total = _PER_FILE
    for key, spec in specs.items():
        if not is_matrix(key, spec.shape):
            total += spec.nbytes + _PER_TENSOR
            continue
        rank = _rank(spec, linear, conv)
        parts = len(form.shapes(spec.shape, rank))
        total += form.nbytes(spec.shape, rank, spec.dtype) + parts * _PER_TENSOR
    return total


def lora_bytes(tasks: Sequence[Task]) -> int:
    """The most that the tasks' LoRA takes on disk."""
    total = 0
    for task in tasks:
        assert isinstance(task.node, Difference), "a change"
        rank = bounds_of(task.node.bounds).rank
        total += file_bytes({task.key: task.spec}, rank, rank, task.node.form) - _PER_FILE
    return total + _PER_FILE


def _rank(spec: TensorSpec, linear: int | None, conv: int | None) -> int | None:
    """A convolution's rank has a limit of its own, which a smaller one for all may lower."""
    if conv is None or math.prod(spec.shape[2:]) == 1:
        return linear
    return min(conv, linear) if linear is not None and conv > linear else conv


def _sides(spec: TensorSpec) -> tuple[int, int]:
    rows = spec.shape[0] if spec.shape else 1
    return rows, max(1, spec.numel // max(1, rows))
