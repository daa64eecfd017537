"""Random LoRAs: for any checkpoint, of any kind, in diffusers', kohya's or PEFT's names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sdmerge.adapters import MappedSource, open_model
from sdmerge.errors import InputError, nearest
from sdmerge.tensors.dtypes import TORCH, code_of
from sdmerge.tensors.spec import TensorSpec, parse_dtype
from sdmerge.tensors.writer import SafetensorsWriter
from sdmerge.testing.random_parts import ADAPTERS, WITH_ALPHA, Draw, Parts

Dialect = Literal["diffusers", "kohya", "peft"]
_SPREAD = 0.02
_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2")
_LETTERS = {"lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight"}
_SHORT = {"text_encoder": "te", "text_encoder_2": "te2", "transformer": "unet"}
_TYPES = {"loha": "LOHA", "lokr": "LOKR"}


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
    code, draw = TORCH[parse_dtype(dtype)], Draw(seed, spread)
    tensors: dict[str, Tensor] = {}
    changed: list[str] = []
    for key in _trained(source, kind, components, targets):
        parts = ADAPTERS[kind](source.specs[key].shape, rank, draw)
        parts = {end: part for end, part in parts.items() if _has(source, key, end)}
        named = _named(source, key, parts, kind, dialect, alpha=alpha)
        tensors |= {name: part.to(code) if part.dim() else part for name, part in named.items()}
        changed += [key] if parts else []
    file = path / "adapter_model.safetensors" if dialect == "peft" else path
    if dialect == "peft":
        path.mkdir(parents=True, exist_ok=True)
        words = {"peft_type": _TYPES.get(kind, "LORA"), "r": rank, "lora_alpha": alpha}
        (path / "adapter_config.json").write_text(json.dumps({**words, "alpha": alpha}), "utf-8")
    plain = kind == "lora" and dialect == "diffusers"
    _write(file, tensors, _metadata(changed, rank, alpha) if plain else {"format": "pt"})
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


def _named(
    source: MappedSource, key: str, parts: Parts, kind: str, dialect: Dialect, *, alpha: float
) -> Parts:
    """The parts under the names of a dialect, with an alpha where it has one."""
    component, _, name = key.partition(".")
    saved = source.family.component(component).saved_key(name).removesuffix(".weight")
    if dialect == "peft":
        return {f"base_model.model.{saved}.{_LETTERS.get(end, end)}": part
                for end, part in parts.items()}  # fmt: skip
    if dialect == "diffusers" and kind == "lora":
        return {f"{component}.{saved}.{_LETTERS[end]}": part for end, part in parts.items()}
    if parts and kind.startswith(WITH_ALPHA):
        parts = {**parts, "alpha": torch.tensor(alpha)}
    if dialect == "diffusers":
        return {f"{component}.{saved}.{end}": part for end, part in parts.items()}
    short = _SHORT.get(component, component)
    if short == "te" and "text_encoder_2" in source.family.by_name:
        short = "te1"
    flat = saved.replace(".", "_")
    return {f"lora_{short}_{flat}.{end}": part for end, part in parts.items()}


def _write(path: Path, tensors: Parts, metadata: dict[str, str]) -> None:
    specs = {
        name: TensorSpec(code_of(tensor.dtype), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }
    with SafetensorsWriter(path, specs, metadata) as writer:
        for name, tensor in tensors.items():
            writer.write(name, tensor.reshape(-1))


def _metadata(modules: list[str], rank: int, alpha: float) -> dict[str, str]:
    names = {key.split(".", 1)[0] for key in modules}
    settings = {f"{name}.{word}": value for name in sorted(names)
                for word, value in (("r", rank), ("lora_alpha", alpha))}  # fmt: skip
    return {"format": "pt", "lora_adapter_metadata": json.dumps(settings)}
