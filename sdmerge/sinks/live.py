"""LiveSink: the result written into the networks of a pipeline, in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sdmerge.adapters.live import live_source, module_tensors
from sdmerge.errors import InputError, PlanError
from sdmerge.families.export import component_map
from sdmerge.families.keymap import KeyMap
from sdmerge.plan import Plan, Task


class LiveSink:
    """Copies each tensor into the modules' parameters, rounded to the dtype the plan stores."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._modules = modules
        self._targets: dict[str, Tensor] = {}

    def open(self, plan: Plan) -> None:
        for name, module in self._modules.items():
            _refuse_unwritable(name, module)
        known = live_source(self._modules).specs
        specs = {task.key: task.spec for task in plan.tasks}
        for component, module in self._modules.items():
            own = {key: spec for key, spec in specs.items() if key.startswith(f"{component}.")}
            for key in own:
                if key not in known:
                    raise PlanError(f"the pipeline has no tensor '{key}'")
            if own:
                self._targets.update(_targets(component_map(plan.family, component, own), module))

    def order(self, plan: Plan) -> Sequence[str]:
        return [task.key for task in plan.tasks if task.key in self._targets]

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
        if target is None or target.shape != torch.Size(layout.specs[name].shape):
            raise PlanError(f"'{piece.source}' has another shape in the pipeline")
        found[piece.source] = target
    return found


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
