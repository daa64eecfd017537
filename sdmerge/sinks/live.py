"""LiveSink: the result written into the networks of a pipeline, in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from sdmerge.adapters.live import live_source, module_tensors
from sdmerge.errors import InputError, PlanError
from sdmerge.families.export import component_map
from sdmerge.plan import Plan, Task


class LiveSink:
    """Copies each tensor into the modules' parameters, rounded to the dtype the plan stores."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._modules = modules
        self._targets: dict[str, Tensor] = {}

    def open(self, plan: Plan) -> None:
        for name, module in self._modules.items():
            _refuse_unwritable(name, module)
        source = live_source(self._modules)
        for task in plan.tasks:
            self._find(task, plan, source.specs)

    def _find(self, task: Task, plan: Plan, specs: Mapping[str, object]) -> None:
        component = task.key.split(".", 1)[0]
        if component not in self._modules:
            return
        if task.key not in specs:
            raise PlanError(f"the pipeline has no tensor '{task.key}'")
        tensors = module_tensors(self._modules[component])
        names = component_map(plan.family, component, {task.key: task.spec}).pieces
        for name in names:
            target = tensors.get(name, tensors.get(name.replace("text_model.", "", 1)))
            if target is None or target.shape != torch.Size(task.spec.shape):
                raise PlanError(f"'{task.key}' has another shape in the pipeline")
            self._targets[task.key] = target

    def order(self, plan: Plan) -> Sequence[str]:
        return [task.key for task in plan.tasks if task.key in self._targets]

    def put(self, task: Task, tensor: Tensor) -> None:
        with torch.no_grad():
            self._targets[task.key].copy_(tensor.reshape(task.spec.shape))

    def commit(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


def _refuse_unwritable(name: str, module: nn.Module) -> None:
    """States of a module in which a written weight would silently not be the one used."""
    if any(tensor.is_meta for tensor in module.state_dict().values()):
        hint = "Move the pipeline to one device; sequential offload keeps weights elsewhere."
        raise InputError(f"{name} is offloaded: its weights are not where they are used", hint=hint)
    for part in module.modules():
        if _has_fused_projections(part):
            hint = "Call unfuse_qkv_projections() first."
            raise InputError(f"{name} has fused projections, which hide its weights", hint=hint)
        if getattr(part, "merged_adapters", None):
            raise InputError(f"{name} has a fused LoRA", hint="Call unfuse_lora() first.")


def _has_fused_projections(part: nn.Module) -> bool:
    if not getattr(part, "fused_projections", False):
        return False
    # the older attention keeps the mark when it is unfused, and only its processor tells
    processor = type(getattr(part, "processor", None)).__name__
    return hasattr(part, "unfuse_projections") or processor.startswith("Fused")
