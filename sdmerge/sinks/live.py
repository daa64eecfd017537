"""LiveSink: the result written into the networks of a pipeline, in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sdmerge.adapters.live import module_tensors
from sdmerge.errors import PlanError
from sdmerge.families.export import component_map
from sdmerge.families.keymap import KeyMap
from sdmerge.plan import Plan, Task
from sdmerge.sinks.writable import refuse_unwritable


class LiveSink:
    """Copies each tensor into the modules' parameters, rounded to the dtype the plan stores."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._modules = modules
        self._targets: dict[str, Tensor] = {}

    def open(self, plan: Plan) -> None:
        for name, module in self._modules.items():
            refuse_unwritable(name, module)
        specs = {task.key: task.spec for task in plan.tasks}
        for component, module in self._modules.items():
            own = {key: spec for key, spec in specs.items() if key.startswith(f"{component}.")}
            if own:
                self._targets.update(_targets(component_map(plan.family, component, own), module))

    def order(self, plan: Plan) -> Sequence[str]:
        return [task.key for task in plan.tasks if task.key in self._targets]

    def untouched(self) -> list[str]:
        """Weights of the modules that the plan has nothing for."""
        written = {tensor.data_ptr() for tensor in self._targets.values()}
        return [
            f"{component}.{name}"
            for component, module in self._modules.items()
            for name, tensor in module_tensors(module).items()
            if tensor.is_floating_point() and tensor.data_ptr() not in written
        ]

    def put(self, task: Task, tensor: Tensor) -> None:
        with torch.no_grad():
            self._targets[task.key].copy_(tensor.reshape(task.spec.shape))

    def commit(self) -> None:
        pass

    def abort(self) -> None:
        """Nothing: what was written stays, and the next merge writes every tensor again."""


def _targets(layout: KeyMap, module: nn.Module) -> dict[str, Tensor]:
    """The module's tensor for each canonical key; one of another shape is a PlanError."""
    tensors = module_tensors(module)
    found: dict[str, Tensor] = {}
    for name, (piece, *_) in layout.pieces.items():
        target = tensors.get(name, tensors.get(name.replace("text_model.", "", 1)))
        if target is None:
            raise PlanError(f"the pipeline has no tensor '{piece.source}'")
        if target.shape != torch.Size(layout.specs[name].shape):
            raise PlanError(f"'{piece.source}' has another shape in the pipeline")
        found[piece.source] = target
    return found
