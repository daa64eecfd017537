"""LoraSink: what a result has beyond its base, as a LoRA file in one of the dialects."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from sdmerge.adapters.lora.forms import Form
from sdmerge.adapters.lora.parts import Parts
from sdmerge.adapters.lora.saving import check_target, write_lora
from sdmerge.adapters.lora.saying import cannot_say
from sdmerge.adapters.lora.spelling import Dialect, Spelling
from sdmerge.adapters.lora.writing import Encoded, encode
from sdmerge.engine import Engine
from sdmerge.errors import PlanError
from sdmerge.plan import Plan, Task
from sdmerge.plan.lora import dialect_of, form_of
from sdmerge.plan.ranks import is_matrix
from sdmerge.sinks.change import Change, make_change
from sdmerge.sinks.provenance import lora_metadata
from sdmerge.tensors.spec import TensorSpec

_SHOWN = 5
_NORM = {"weight": "w_norm", "bias": "b_norm"}
_FULL = {"weight": "diff", "bias": "diff_b"}


class LoraSink:
    """Collects the changes, and writes them to `path` when all are there.

    Without a path they stay in memory, for `encoded`.
    """

    def __init__(self, path: Path | None, *, force: bool = False) -> None:
        self.path = path
        self._force = force
        self._plan: Plan | None = None
        self.changes: dict[str, Change] = {}
        self.left_out: dict[str, str] = {}
        """What has changed and the dialect has no words for, by canonical key, and why."""
        self._unsaid: dict[str, str] = {}

    @property
    def dialect(self) -> Dialect:
        """Whose names the file bears."""
        return dialect_of(self._opened.recipe.output)

    @property
    def error(self) -> float:
        """‖Δ - stored‖ / ‖Δ‖ over all that is stored."""
        size = sum(change.size for change in self.changes.values())
        off = sum(change.off for change in self.changes.values())
        return math.sqrt(off / size) if size else 0.0

    @property
    def _opened(self) -> Plan:
        assert self._plan is not None, "the sink was not opened"
        return self._plan

    def open(self, plan: Plan) -> None:
        self._plan = plan
        self.changes.clear()
        if self.path is not None:
            check_target(self.path, self.dialect, force=self._force)
        self.left_out.clear()
        self._unsaid = self._what_cannot_be_said([task.key for task in plan.tasks])

    def order(self, plan: Plan) -> Sequence[str]:
        # whether that has changed at all shows first
        return [*self._unsaid, *(task.key for task in plan.tasks if task.key not in self._unsaid)]

    def make(self, engine: Engine, task: Task) -> Change:
        """The change as it is stored; any thread may make it."""
        return make_change(engine, task)

    def put(self, task: Task, tensor: Change) -> None:
        if task.key not in self._unsaid:
            self._refuse_to_lose()
            if tensor.parts:
                self.changes[task.key] = tensor
        elif tensor.parts:
            self.left_out[task.key] = self._unsaid[task.key]

    def commit(self) -> None:
        self._refuse_to_lose()
        if not self.changes:
            raise PlanError("the result does not differ from base_model")
        if self.path is None:
            return
        metadata = lora_metadata(self._opened, self.path.parent, self.path.stem, self.summary())
        write_lora(self.path, self.encoded(), metadata, force=self._force)

    def abort(self) -> None:
        self.changes.clear()

    def encoded(self) -> Encoded:
        """The tensors by the dialect's names."""
        plan = self._opened
        kept = {key: change.parts for key, change in self.changes.items()}
        return encode(_by_weight(kept, plan.start), plan.family, plan.start, self.dialect)

    def summary(self) -> Mapping[str, tuple[int, float]]:
        """Rank and relative error by canonical key; "" is the whole, of the largest rank."""
        ranks = [change.rank for change in self.changes.values()]
        own = {key: (change.rank, change.error) for key, change in self.changes.items()}
        return {"": (max(ranks, default=0), self.error), **own}

    def _refuse_to_lose(self) -> None:
        """A PlanError if something has changed that the dialect has no words for."""
        if not self.left_out or self._opened.recipe.output.lora.get("partial"):
            return
        whys = Counter(self.left_out.values())
        shown = ", ".join(f"{why} ({count})" for why, count in whys.items())
        names = ", ".join([*self.left_out][:_SHOWN])
        what = f"{len(self.left_out)} changes cannot be said in {self.dialect}: {shown}; {names}"
        hint = "The kohya and comfyui dialects hold most; partial: true leaves these out."
        raise PlanError(what, hint=hint)

    def _what_cannot_be_said(self, keys: Sequence[str]) -> dict[str, str]:
        """What the dialect cannot hold, asked with parts that have shapes and no numbers.

        A bias goes with its weight's module, and is left out alone if the weight can be said.
        """
        plan = self._opened
        spelling = Spelling(plan.family, plan.start, self.dialect)
        form = form_of(plan.recipe.output.lora)
        blanks = {key: _blank(key, plan.start[key].shape, form) for key in keys}
        weights = {key: one for key, one in blanks.items() if not key.endswith(".bias")}
        unsaid = cannot_say(_by_weight(weights, plan.start), spelling)
        rest = {key: one for key, one in blanks.items() if key not in unsaid}
        beside = cannot_say(_by_weight(rest, plan.start), spelling)
        for key in rest:
            if key.endswith(".bias") and (why := beside.get(_weight_of(key))):
                unsaid[key] = why
        return unsaid


def _blank(key: str, shape: tuple[int, ...], form: Form) -> Parts:
    if is_matrix(key, shape):
        return form.blank(shape)
    return {"diff": torch.empty(shape, device="meta")}


def _by_weight(changes: Mapping[str, Parts], specs: Mapping[str, TensorSpec]) -> dict[str, Parts]:
    """The parts by weight: a bias's change is a part of its weight's module, under another word."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, parts in changes.items():
        weight = _weight_of(key)
        word = (_NORM if _is_norm(weight, specs) else _FULL).get(key.rpartition(".")[2], "diff")
        named = {word if name == "diff" else name: one for name, one in parts.items()}
        found.setdefault(weight, {}).update(named)
    return dict(found)


def _weight_of(key: str) -> str:
    return f"{key.removesuffix('.bias')}.weight" if key.endswith(".bias") else key


def _is_norm(weight: str, specs: Mapping[str, TensorSpec]) -> bool:
    return weight in specs and len(specs[weight].shape) == 1
