"""A diffusers pipeline for a plan: every part of it but the weights, and put on a device."""

from __future__ import annotations

import importlib
import json
import logging
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sdmerge.errors import PlanError
from sdmerge.merge import refuse_lora
from sdmerge.plan import Plan
from sdmerge.sinks.pipeline import component_names

_LOADING = threading.RLock()
"""Of whoever loads diffusers and transformers: their modules come bit by bit, to one thread."""


def load_libraries() -> None:
    """Load what pipelines of every kind need, so that the first one is there sooner."""
    with _LOADING:
        for library, name in (
            ("diffusers", "DiffusionPipeline"),
            ("transformers", "PreTrainedModel"),
        ):
            getattr(importlib.import_module(library), name)


def refuse_incomplete(plan: Plan) -> None:
    """Nothing for a plan of a whole model, else an InputError that says what it lacks."""
    refuse_lora(plan)
    if not plan.family.components:
        raise PlanError("a model of unknown family draws no pictures")
    lacking = [
        part.name for part in plan.family.components if part.name not in component_names(plan)
    ]
    if lacking:
        names = ", ".join(lacking)
        hint = f"Take it from another model: components: {{{lacking[0]}: {{take: MODEL}}}}."
        raise PlanError(f"the model has no {names}, without which it draws no pictures", hint=hint)


def empty_pipeline(plan: Plan, files: Mapping[str, bytes], dtype: torch.dtype) -> Any:
    """The pipeline of `plan`, its networks allocated in `dtype` and not filled.

    `files` are those of a diffusers folder beside the weights.
    """
    with _LOADING:
        return _built(plan, files, dtype)


def _built(plan: Plan, files: Mapping[str, bytes], dtype: torch.dtype) -> Any:
    import diffusers

    logging.getLogger("diffusers").setLevel(logging.ERROR)
    index: dict[str, Any] = json.loads(files["model_index.json"])
    modules = {
        name: _empty_module(index[name], json.loads(files[f"{name}/config.json"]), dtype)
        for name in component_names(plan)
    }
    with tempfile.TemporaryDirectory(prefix="sdmerge-") as folder:
        parts = _parts(index, modules, files, Path(folder))
    pipeline = getattr(diffusers, index["_class_name"])(**parts, **_options(index))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def drawing_dtype(device: str) -> torch.dtype:
    """What pictures are computed in where nobody says otherwise."""
    return torch.float32 if torch.device(device).type == "cpu" else torch.float16


def move(pipeline: Any, device: str) -> None:
    """Put the pipeline on `device`; where it does not fit, its networks take turns there.

    Each network moves as a whole and its parameters stay real, so weights may be written wherever
    they are at the moment.
    """
    where = torch.device(device)
    if where.type == "cuda" and _size(pipeline) > _ROOM * torch.cuda.mem_get_info(where)[0]:
        pipeline.enable_model_cpu_offload(device=where)
    else:
        pipeline.to(device=where)


_ROOM = 0.7
"""Share of the free GPU memory that weights may take; activations need the rest."""


def _size(pipeline: Any) -> int:
    return sum(
        tensor.numel() * tensor.element_size()
        for part in pipeline.components.values()
        if isinstance(part, nn.Module)
        for tensor in part.parameters()
    )


def _empty_module(
    entry: tuple[str, str], config: Mapping[str, Any], dtype: torch.dtype
) -> nn.Module:
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
            empty = torch.empty(parameter.shape, dtype=dtype)
            setattr(owner, key, nn.Parameter(empty, requires_grad=False))
    return module.to(dtype=dtype).eval()


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
