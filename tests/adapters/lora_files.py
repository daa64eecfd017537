"""Random LoRA files in any trainer's spelling, and the narrow models they are made for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.families import FAMILIES, SINGLE_FILE, Family, KeyMap, single_file_map
from sdmerge.families.sizes import evaluate
from sdmerge.tensors.dtypes import TORCH, code_of
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.writer import SafetensorsWriter

NARROW: Mapping[str, Mapping[str, int]] = {
    "unet": {"c0": 32, "c1": 64, "c2": 96, "x": 48, "a": 40, "d": 1},
    "text_encoder": {"w": 48, "f": 64, "p": 8, "v": 20, "n": 2},
    "text_encoder_2": {"w": 80, "f": 112, "p": 8, "v": 20, "j": 80, "n": 2},
    "vae": {"c0": 32, "c1": 32, "c2": 32},
}
EMBEDDINGS = re.compile(r"embedding\.weight$")
DIALECTS = (
    "kohya",
    "kohya-sgm",
    "diffusers",
    "diffusers-down",
    "diffusers-old",
    "peft",
    "peft-default",
    "comfyui",
)


@dataclass(frozen=True)
class Pair:
    """What a file holds of one module, and what it means."""

    up: Tensor
    down: Tensor
    scale: float
    shape: tuple[int, ...]

    def delta(self) -> Tensor:
        """ΔW in float64, by the formula."""
        product = self.up.double().flatten(1) @ self.down.double().flatten(1)
        return (product * self.scale).view(self.shape)


Spell = Callable[[str, str], str]  # (canonical weight, "down" | "up" | "alpha") → a file's key


def narrow_specs(family: Family) -> Mapping[str, TensorSpec]:
    """The canonical tensors of a narrow, shallow model of the family."""
    return _narrow(family.name)[0]


def narrow_file(family: Family) -> KeyMap:
    """How they make a single file."""
    return _narrow(family.name)[1]


@cache
def _narrow(name: str) -> tuple[Mapping[str, TensorSpec], KeyMap]:
    family = FAMILIES.get(name)
    specs: dict[str, TensorSpec] = {}
    for component in family.components:
        sizes = {**component.sizes, **component.depths, **NARROW[component.name]}
        table = family.tables[component.name, SINGLE_FILE]
        for key, (rule, _) in table.expand({}, sizes).items():
            shape = tuple(evaluate(size, sizes) for size in rule.shape)
            specs[f"{component.name}.{key}"] = TensorSpec("F32", shape)
    return specs, single_file_map(family, specs)


def trained(specs: Mapping[str, TensorSpec], targets: str = "") -> list[str]:
    """The canonical weights a LoRA may change: matrices and kernels, of names with `targets`."""
    return [
        key
        for key, spec in specs.items()
        if len(spec.shape) >= 2
        and not key.startswith(("vae.", "extra."))
        and not EMBEDDINGS.search(key)
        and re.search(targets, key)
    ]


def random_pair(
    spec: TensorSpec, rank: int, generator: torch.Generator, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """(up, down) for a weight: of a kernel, down has the kernel and up is 1×1."""
    ones = (1,) * (len(spec.shape) - 2)
    up = torch.randn(spec.shape[0], rank, *ones, generator=generator)
    down = torch.randn(rank, *spec.shape[1:], generator=generator)
    return (up * 0.1).to(dtype), (down * 0.1).to(dtype)


def random_lora(
    path: Path,
    family: Family,
    specs: Mapping[str, TensorSpec],
    dialect: str = "kohya",
    *,
    rank: int = 4,
    alpha: float | None = 2.0,
    seed: int = 0,
    targets: str = "",
    dtype: torch.dtype = torch.float32,
) -> dict[str, Pair]:
    """Write a random LoRA; what comes back is what it holds of each canonical weight."""
    generator = torch.Generator().manual_seed(seed)
    spell = speller(family, specs, dialect)
    tensors: dict[str, Tensor] = {}
    pairs: dict[str, Pair] = {}
    for key in trained(specs, targets):
        up, down = random_pair(specs[key], rank, generator, dtype)
        tensors[spell(key, "down")], tensors[spell(key, "up")] = down, up
        if alpha is not None and dialect.startswith(("kohya", "comfyui")):
            tensors[spell(key, "alpha")] = torch.tensor(alpha)
        pairs[key] = Pair(up, down, 1.0 if alpha is None else alpha / rank, specs[key].shape)
    metadata = {"format": "pt"}
    if alpha is not None and dialect.startswith("diffusers"):
        metadata["lora_adapter_metadata"] = json.dumps(adapter_settings(pairs, rank, alpha))
    write(path, tensors, metadata)
    if alpha is not None and dialect.startswith("peft"):
        settings = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha}
        (path.parent / "adapter_config.json").write_text(json.dumps(settings))
    return pairs


def adapter_settings(keys: Iterable[str], rank: int, alpha: float) -> dict[str, object]:
    """What diffusers puts into a header about LoRAs of these weights."""
    settings: dict[str, object] = {}
    for key in keys:
        component, _, name = key.partition(".")
        modules = settings.setdefault(f"{component}.target_modules", list[str]())
        assert isinstance(modules, list)
        modules.append(name.removesuffix(".weight"))
        settings |= {f"{component}.r": rank, f"{component}.lora_alpha": alpha}
    return settings


def write(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> Path:
    """A .safetensors file of these tensors."""
    specs = {
        name: TensorSpec(code_of(tensor.dtype), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }
    with SafetensorsWriter(path, specs, metadata or {}) as writer:
        for name, tensor in tensors.items():
            assert tensor.dtype is TORCH[specs[name].dtype]
            writer.write(name, tensor.reshape(-1))
    return path


def speller(family: Family, specs: Mapping[str, TensorSpec], dialect: str) -> Spell:
    """How a dialect names the tensors of a canonical weight's LoRA."""
    single = {
        pieces[0].source: key.removesuffix(".weight")
        for key, pieces in single_file_map(family, specs).pieces.items()
        if dialect in {"kohya-sgm", "comfyui"}
    }

    def split(key: str) -> tuple[str, str, str]:
        """(component, module in a folder's file, module in ComfyUI's spelling)."""
        component, _, name = key.partition(".")
        saved = family.component(component).saved_key(name).removesuffix(".weight")
        encoder = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}.get(component)
        comfyui = f"text_encoders.{encoder}.transformer.{saved}" if encoder else ""
        return component, saved, comfyui or single.get(key, "").removeprefix("model.")

    def kohya(key: str, role: str) -> str:
        component, module, comfyui = split(key)
        if dialect == "kohya-sgm" and component == "unet":
            module = comfyui.removeprefix("diffusion_model.")
        several = "text_encoder_2" in family.by_name
        prefix = {"unet": "unet", "text_encoder": "te1" if several else "te"}.get(component, "te2")
        return f"lora_{prefix}_{module.replace('.', '_')}" + _KOHYA[role]

    def dotted(key: str, role: str) -> str:
        component, module, comfyui = split(key)
        if dialect == "comfyui":
            return comfyui + _LETTERS[role]
        if dialect.startswith("peft"):
            end = _LETTERS[role]
            default = end.replace(".weight", ".default.weight")
            return f"base_model.model.{module}{default if dialect == 'peft-default' else end}"
        if dialect == "diffusers":
            return f"{component}.{module}{_LETTERS[role]}"
        if dialect == "diffusers-old" and component != "unet":
            return f"{component}.{module}.lora_linear_layer.{role}.weight"
        old = re.fullmatch(r"(.*)\.(to_[qkv]|to_out)(?:\.0)?", module)
        if dialect == "diffusers-old" and old:
            return f"{component}.{old[1]}.processor.{old[2]}_lora.{role}.weight"
        return f"{component}.{module}.lora.{role}.weight"

    return kohya if dialect.startswith("kohya") else dotted


_KOHYA = {"down": ".lora_down.weight", "up": ".lora_up.weight", "alpha": ".alpha"}
_LETTERS = {"down": ".lora_A.weight", "up": ".lora_B.weight", "alpha": ".alpha"}
