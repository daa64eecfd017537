"""DictSink: the result in memory, by canonical key."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sdmerge.plan import Plan, Task


class DictSink:
    """Collects the tensors, in their shapes, in `tensors`."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    def open(self, plan: Plan) -> None:  # noqa: ARG002
        self.tensors.clear()

    def order(self, plan: Plan) -> Sequence[str]:
        return [task.key for task in plan.tasks]

    def put(self, task: Task, tensor: Tensor) -> None:
        self.tensors[task.key] = tensor.reshape(task.spec.shape)

    def commit(self) -> None:
        pass

    def abort(self) -> None:
        self.tensors.clear()
