"""Random LoRAs: for any checkpoint, of any kind, in diffusers', kohya's or PEFT's names."""

# safetensors types its writer in part
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from sdmerge.adapters import MappedSource, open_model
from sdmerge.adapters.lora.folder import ADAPTER_NAME
from sdmerge.adapters.lora.saving import write_lora
from sdmerge.adapters.lora.scaling import CONFIG_NAME
from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.adapters.lora.writing import encode
from sdmerge.errors import InputError, nearest
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.spec import parse_dtype
from sdmerge.testing.random_parts import ADAPTERS, WITH_ALPHA, Draw, Parts

_SPREAD = 0.02
_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2")
_PEFT = {"loha": "LOHA", "lokr": "LOKR"}
"""PEFT's names of kinds that it alone writes so."""


def random_lora(
    path: Path,
    model: Path,
    *,
    kind: str = "lora",
    dialect: Dialect = "diffusers",
    rank: int = 16,
    alpha: float = 8.0,
    seed: int = 0,
    components: tuple[str, ...] = _COMPONENTS,
    targets: str = "",
    dtype: str = "float16",
    spread: float = _SPREAD,
) -> Path:
    """Write an adapter that changes every tensor of `model` that one of its kind can.

    kind: One of `random_parts.ADAPTERS`.
    dialect: For a PEFT adapter `path` is a folder, which gets a configuration as well, and there is
        one component.
    targets: A regular expression that is found in the names of the tensors to change.
    """
    if kind not in ADAPTERS:
        raise InputError(f"there is no adapter '{kind}'", hint=nearest(kind, ADAPTERS))
    source = open_model(model)
    if not isinstance(source, MappedSource):
        raise InputError("is not a checkpoint", where=str(model))
    code, draw = parse_dtype(dtype), Draw(seed, spread)
    learned: dict[str, Parts] = {}
    for key in _trained(source, kind, components, targets):
        parts = ADAPTERS[kind](source.specs[key].shape, rank, draw)
        parts = {end: part for end, part in parts.items() if _has(source, key, end)}
        if parts:
            scaled = {"alpha": torch.tensor(alpha)} if kind.startswith(WITH_ALPHA) else {}
            learned[key] = {**parts, **scaled}
    if dialect == "peft" and (name := _PEFT.get(kind.partition("-")[0])):
        _write_peft(path, source, learned, code, {"peft_type": name, "r": rank, "alpha": alpha})
    else:
        encoded = encode(learned, source.family, source.specs, dialect, dtype=code)
        write_lora(path, encoded, {}, force=True)
    source.close()
    return path


def _trained(
    source: MappedSource, kind: str, components: tuple[str, ...], targets: str
) -> Iterator[str]:
    """The weights that a kind can change: those of norms, or matrices and kernels."""
    for key, spec in source.specs.items():
        wanted = len(spec.shape) == 1 if kind == "norm" else len(spec.shape) >= 2
        plain = "embedding.weight" not in key and key.endswith(".weight")
        if wanted and plain and key.split(".", 1)[0] in components and re.search(targets, key):
            yield key


def _has(source: MappedSource, key: str, end: str) -> bool:
    """Whether the model has what a part changes: only layers with a bias have one."""
    return end not in ("diff_b", "b_norm") or key.removesuffix("weight") + "bias" in source.specs


def _write_peft(
    path: Path,
    source: MappedSource,
    learned: Mapping[str, Parts],
    dtype: str,
    config: Mapping[str, object],
) -> None:
    """A PEFT adapter of a kind that sdmerge itself does not write so."""
    tensors: Parts = {}
    for key, parts in learned.items():
        component, _, name = key.partition(".")
        module = source.family.component(component).saved_key(name).removesuffix(".weight")
        for end, part in parts.items():
            if end != "alpha":
                tensors[f"base_model.model.{module}.{end}"] = part.to(TORCH[dtype])
    path.mkdir(parents=True, exist_ok=True)
    (path / CONFIG_NAME).write_text(json.dumps(config), "utf-8")
    save_file(tensors, path / ADAPTER_NAME)
