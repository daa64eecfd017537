"""A tensor's change as a LoRA file holds it, and how far that is from the change itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.adapters.lora.forms import LEFT, RIGHT, RIGHT_DOWN, RIGHT_UP
from sdmerge.adapters.lora.parts import ALPHA, MAGNITUDE, Parts, parts_of
from sdmerge.bounds import Bounds
from sdmerge.engine import Engine
from sdmerge.kronecker import cut_right, nearest_kronecker
from sdmerge.lowrank import Factors, compress, dense, inner
from sdmerge.magnitudes import fit_magnitudes, nearest_direction
from sdmerge.plan.ranks import bounds_of, is_matrix
from sdmerge.plan.tasks import Difference, Task
from sdmerge.sketch import approximate, squared_distance, squared_norm
from sdmerge.storing import store
from sdmerge.tensors.dtypes import TORCH


@dataclass(frozen=True, slots=True)
class Change:
    """What was learned of one tensor, as it is stored; nothing if it stayed as it was.

    `off` is ‖Δ - stored‖² and `size` ‖Δ‖², both of the rounded numbers that are stored; of a DoRA
    stored is what it makes of the base's weight, less that weight.
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
    bounds, form = bounds_of(task.node.bounds), task.node.form.name
    factors = engine.factors(task.node.node, task.node.base, key, shape)
    if factors is not None and form == "lora":
        return _smaller(factors, bounds, task)
    if factors is not None:
        matrix = dense(factors).view(shape[0], -1).float()
    else:
        matrix = engine.difference(task.node.node, task.node.base, key, shape).reshape(shape[0], -1)
    size = squared_norm(matrix)
    if size == 0:
        return NOTHING
    if form == "dora":
        base = engine.tensor(task.node.base, key, shape).reshape(shape[0], -1)
        return _dora(base, matrix, size, bounds, task)
    if form == "lokr":
        return _kronecker(matrix, size, bounds, task)
    stored = _rounded(approximate(matrix, bounds), task)
    off = squared_distance(matrix, _single(stored))
    return Change(parts_of(stored, shape), stored.rank, off, size)


def _smaller(factors: Factors, bounds: Bounds, task: Task) -> Change:
    """What is of low rank, at a lower one, without its product."""
    size = inner(factors, factors)
    if not factors.rank or size <= 0:
        return NOTHING
    stored = _rounded(compress(factors, bounds).factors, task)
    off = max(0.0, size - 2 * inner(factors, stored) + inner(stored, stored))
    return Change(parts_of(stored, task.spec.shape), stored.rank, off, size)


def _dora(base: Tensor, change: Tensor, size: float, bounds: Bounds, task: Task) -> Change:
    """The magnitudes are fitted to the direction as it is stored, and not rounded further."""
    shape = task.spec.shape
    stored = _rounded(nearest_direction(base, change, bounds), task)
    fit = fit_magnitudes(base, change, _single(stored))
    magnitudes = fit.magnitudes.reshape(-1, *(1,) * (len(shape) - 1))
    return Change({**parts_of(stored, shape), MAGNITUDE: magnitudes}, stored.rank, fit.off, size)


def _kronecker(change: Tensor, size: float, bounds: Bounds, task: Task) -> Change:
    """Both factors; the second as a product of two where it may be and that is smaller."""
    assert isinstance(task.node, Difference), "a change"
    form, shape = task.node.form, task.spec.shape
    rows, columns = form.sides(shape)
    left, right = nearest_kronecker(change, rows, columns)
    rank = None if bounds == Bounds() else form.right_rank(shape, approximate(right, bounds).rank)
    if rank is None:
        stored = (_in_dtype(left, task), _in_dtype(right, task))
        kernel = shape[2:]
        parts = {RIGHT: stored[1].reshape(rows[1], -1, *kernel), ALPHA: torch.tensor(1.0)}
    else:
        left, low = cut_right(change, rows, columns, approximate(right, Bounds(rank=rank)))
        up, down = _in_dtype(low.up, task), _in_dtype(low.down, task)
        stored = (_in_dtype(left, task), dense(Factors(up.float(), down.float())).view(right.shape))
        parts = {RIGHT_UP: up, RIGHT_DOWN: down, ALPHA: torch.tensor(float(rank))}
    product = torch.kron(stored[0].float(), stored[1].float())
    return Change({LEFT: stored[0], **parts}, rank or 0, squared_norm(change - product), size)


def _whole(change: Tensor, task: Task) -> Change:
    size = squared_norm(change)
    if size == 0:
        return NOTHING
    stored = _in_dtype(change, task)
    return Change({"diff": stored}, 0, squared_norm(change - stored.float()), size)


def _rounded(factors: Factors, task: Task) -> Factors:
    return Factors(_in_dtype(factors.up, task), _in_dtype(factors.down, task), factors.scale)


def _single(factors: Factors) -> Factors:
    return Factors(factors.up.float(), factors.down.float(), factors.scale)


def _in_dtype(values: Tensor, task: Task) -> Tensor:
    """Rounded to the task's dtype; what that cannot hold is an error."""
    out = torch.empty(values.shape, dtype=TORCH[task.spec.dtype])
    store(values.float().contiguous(), out, task.key)
    return out
