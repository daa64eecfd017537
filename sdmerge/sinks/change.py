"""A tensor's change as a LoRA file holds it, and how far that is from the change itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.adapters.lora.parts import Parts, parts_of
from sdmerge.engine import Engine
from sdmerge.lowrank import Factors, compress, inner
from sdmerge.plan.lora import bounds_of, is_matrix
from sdmerge.plan.tasks import Difference, Task
from sdmerge.sketch import approximate, squared_distance, squared_norm
from sdmerge.storing import store
from sdmerge.tensors.dtypes import TORCH


@dataclass(frozen=True, slots=True)
class Change:
    """What was learned of one tensor, as it is stored; nothing if it stayed as it was.

    `off` is ‖Δ - stored‖² and `size` ‖Δ‖², both of the rounded numbers that are stored.
    """

    parts: Parts
    rank: int
    off: float
    size: float

    @property
    def error(self) -> float:
        """‖Δ - stored‖ / ‖Δ‖."""
        return math.sqrt(self.off / self.size) if self.size else 0.0


NOTHING = Change({}, 0, 0.0, 0.0)


def make_change(engine: Engine, task: Task) -> Change:
    """The change that a task asks for: as factors where it is a matrix's, else number by number."""
    assert isinstance(task.node, Difference), "a change"
    key, shape = task.key, task.spec.shape
    if not is_matrix(key, shape):
        return _whole(engine.difference(task.node.node, task.node.base, key, shape), task)
    bounds = bounds_of(task.node.bounds)
    factors = engine.factors(task.node.node, task.node.base, key, shape)
    if factors is not None:
        size = inner(factors, factors)
        if not factors.rank or size <= 0:
            return NOTHING
        stored = _rounded(compress(factors, bounds).factors, task)
        off = max(0.0, size - 2 * inner(factors, _wide(stored)) + inner(stored, stored))
    else:
        matrix = engine.difference(task.node.node, task.node.base, key, shape).reshape(shape[0], -1)
        size = squared_norm(matrix)
        if size == 0:
            return NOTHING
        stored = _rounded(approximate(matrix, bounds), task)
        wide = Factors(stored.up.float(), stored.down.float(), stored.scale)
        off = squared_distance(matrix, wide)
    return Change(parts_of(stored, shape), stored.rank, off, size)


def _whole(change: Tensor, task: Task) -> Change:
    size = squared_norm(change)
    if size == 0:
        return NOTHING
    stored = _in_dtype(change, task)
    return Change({"diff": stored}, 0, squared_norm(change - stored.float()), size)


def _rounded(factors: Factors, task: Task) -> Factors:
    return Factors(_in_dtype(factors.up, task), _in_dtype(factors.down, task), factors.scale)


def _wide(factors: Factors) -> Factors:
    return Factors(factors.up.double(), factors.down.double(), factors.scale)


def _in_dtype(values: Tensor, task: Task) -> Tensor:
    """Rounded to the task's dtype; what that cannot hold is an error."""
    out = torch.empty(values.shape, dtype=TORCH[task.spec.dtype])
    store(values.float().contiguous(), out, task.key)
    return out
