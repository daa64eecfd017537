"""A diffusers pipeline straight from a plan: what it draws is what would be saved."""

from __future__ import annotations

import importlib
import json
import logging
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sdmerge.errors import PlanError
from sdmerge.fitting import OpenProbe
from sdmerge.merge import Progress, refuse_lora, run
from sdmerge.plan import Plan
from sdmerge.sinks import LiveSink
from sdmerge.sinks.pipeline import component_names, side_files


def build_pipeline(
    plan: Plan,
    *,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    probe: OpenProbe | None = None,
) -> Any:
    """The pipeline that `plan` gives. Weights are rounded to the dtype the plan stores, then drawn
    with in `dtype` (by default float32 on a CPU, float16 elsewhere).
    """
    refuse_lora(plan)
    _refuse_incomplete(plan)
    import diffusers

    logging.getLogger("diffusers").setLevel(logging.ERROR)
    files = side_files(plan)
    index: dict[str, Any] = json.loads(files["model_index.json"])
    modules = {
        name: _empty_module(index[name], json.loads(files[f"{name}/config.json"]))
        for name in component_names(plan)
    }
    run(plan, LiveSink(modules), progress=progress, cancel=cancel, probe=probe)
    chosen = dtype or (torch.float32 if torch.device(device).type == "cpu" else torch.float16)
    with tempfile.TemporaryDirectory(prefix="sdmerge-") as folder:
        parts = _parts(index, modules, files, Path(folder))
    pipeline_class = getattr(diffusers, index["_class_name"])
    pipeline = pipeline_class(**parts, **_options(index)).to(device=device, dtype=chosen)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _refuse_incomplete(plan: Plan) -> None:
    if not plan.family.components:
        raise PlanError("a model of unknown family draws no pictures")
    lacking = [
        part.name for part in plan.family.components if part.name not in component_names(plan)
    ]
    if lacking:
        names = ", ".join(lacking)
        hint = f"Take it from another model: components: {{{lacking[0]}: {{take: MODEL}}}}."
        raise PlanError(f"the model has no {names}, without which it draws no pictures", hint=hint)


def _empty_module(entry: tuple[str, str], config: Mapping[str, Any]) -> nn.Module:
    """The network without weights worth anything: allocated, not initialised."""
    from accelerate import init_empty_weights

    library, name = entry
    module_class = getattr(importlib.import_module(library), name)
    with init_empty_weights(include_buffers=False):
        if library == "diffusers":
            module = module_class.from_config(dict(config))
        else:
            module = module_class(module_class.config_class.from_dict(dict(config)))
    for owner in module.modules():
        for key, parameter in list(owner.named_parameters(recurse=False)):
            empty = torch.empty(parameter.shape, dtype=torch.float32)
            setattr(owner, key, nn.Parameter(empty, requires_grad=False))
    return module.eval()


def _parts(
    index: Mapping[str, Any],
    modules: Mapping[str, nn.Module],
    files: Mapping[str, bytes],
    folder: Path,
) -> dict[str, Any]:
    """Every part of the pipeline: networks as given, the rest loaded from `files` in `folder`."""
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    parts: dict[str, Any] = {}
    for name, entry in index.items():
        if not _is_part(entry):
            continue
        if name in modules:
            parts[name] = modules[name]
        elif entry[0] is None or not (folder / name).is_dir():
            parts[name] = None
        else:
            loader = getattr(importlib.import_module(entry[0]), entry[1])
            parts[name] = loader.from_pretrained(folder / name)
    return parts


def _options(index: Mapping[str, Any]) -> dict[str, Any]:
    """The pipeline's own settings, such as requires_safety_checker."""
    return {
        name: value
        for name, value in index.items()
        if not name.startswith("_") and not _is_part(value)
    }


def _is_part(entry: Any) -> bool:
    """Whether an entry of model_index.json names a class, as [library, class]."""
    return isinstance(entry, list)
