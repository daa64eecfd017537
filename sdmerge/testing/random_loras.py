"""Random LoRAs: for any checkpoint, in diffusers' names."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.adapters import MappedSource, open_model
from sdmerge.errors import InputError
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.spec import TensorSpec, parse_dtype
from sdmerge.tensors.writer import SafetensorsWriter

_SPREAD = 0.02


def random_lora(
    path: Path,
    model: Path,
    *,
    rank: int = 16,
    alpha: float = 8.0,
    seed: int = 0,
    components: tuple[str, ...] = ("unet", "transformer", "text_encoder", "text_encoder_2"),
    dtype: str = "float16",
) -> Path:
    """Write a LoRA that changes every matrix and kernel of `model`; return its path."""
    source = open_model(model)
    if not isinstance(source, MappedSource):
        raise InputError("is not a checkpoint", where=str(model))
    code = parse_dtype(dtype)
    modules = [key for key, spec in source.specs.items() if _trained(key, spec, components)]
    specs: dict[str, TensorSpec] = {}
    for key in modules:
        out, inner, *kernel = source.specs[key].shape
        name = _saved(source, key)
        specs[f"{name}.lora_A.weight"] = TensorSpec(code, (rank, inner, *kernel))
        specs[f"{name}.lora_B.weight"] = TensorSpec(code, (out, rank, *[1] * len(kernel)))
    generator = torch.Generator().manual_seed(seed)
    with SafetensorsWriter(path, specs, _metadata(modules, rank, alpha)) as writer:
        for name, spec in specs.items():
            values: Tensor = _SPREAD * torch.randn(spec.numel, generator=generator)
            writer.write(name, values.to(TORCH[code]))
    source.close()
    return path


def _trained(key: str, spec: TensorSpec, components: tuple[str, ...]) -> bool:
    matrix = len(spec.shape) >= 2 and "embedding.weight" not in key
    return matrix and key.split(".", 1)[0] in components


def _saved(source: MappedSource, key: str) -> str:
    component, _, name = key.partition(".")
    saved = source.family.component(component).saved_key(name)
    return f"{component}.{saved.removesuffix('.weight')}"


def _metadata(modules: list[str], rank: int, alpha: float) -> dict[str, str]:
    names = {key.split(".", 1)[0] for key in modules}
    settings = {f"{name}.{word}": value for name in sorted(names)
                for word, value in (("r", rank), ("lora_alpha", alpha))}  # fmt: skip
    return {"format": "pt", "lora_adapter_metadata": json.dumps(settings)}
