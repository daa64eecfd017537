"""Learned: a LoRA file's tensors as parts by canonical weight, as they lie in it.

Nothing is multiplied or rounded: this is what converting between dialects needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from sdmerge.adapters.lora.binding import some
from sdmerge.adapters.lora.file import LoraFile
from sdmerge.adapters.lora.folder import scaling_in
from sdmerge.adapters.lora.names import ModuleName, split_key, split_module
from sdmerge.adapters.lora.parts import (
    ALPHA,
    DOWN,
    MAGNITUDE,
    UP,
    Parts,
    is_low_rank,
    is_row_magnitude,
    kind_of,
    rank_of,
    same_weight,
    split,
)
from sdmerge.adapters.lora.scaling import Scaling
from sdmerge.adapters.lora.targets import Target, Targets
from sdmerge.errors import CorruptFile, FamilyError, FileError
from sdmerge.tensors.spec import TensorSpec

_ROLES = {"down": DOWN, "up": UP, "alpha": ALPHA}
_MAGNITUDE = re.compile(r"lora_magnitude_vector(?:\..+)?")
# the adapter's name that PEFT puts behind the part's, where it writes out a live model
_ADAPTER = re.compile(
    r"((?:lora_embedding|hada|lokr|ia3|b?oft)_\w+|lora_[AB])\.(?!weight$|bias$)[^.]+"
)


@dataclass(frozen=True, slots=True)
class RawModule:
    """One module's tensors in a file: part → the file's key."""

    name: str
    parsed: ModuleName
    keys: Mapping[str, str]
    shape: tuple[int, ...] | None  # of its weight, where an up and a down show it


@dataclass(frozen=True, slots=True)
class Learned:
    """The parts by canonical weight, and the modules that have no place in the model, and why."""

    parts: Mapping[str, Parts]
    lost: Mapping[str, str]


def raw_modules(lora: LoraFile) -> tuple[RawModule, ...]:
    """The modules of all kinds, in the file's order; a tensor of no adapter is a FileError."""
    specs = lora.store.specs
    grouped: dict[str, dict[str, str]] = {}
    unknown: list[str] = []
    for key in specs:
        if (slot := split_key(key)) is None:
            unknown.append(key)
            continue
        part = _ROLES.get(slot.role) or _part(key[len(slot.module) + 1 :])
        grouped.setdefault(slot.module, {})[part] = key
    # (IA)³ has its vector under a plain "weight"
    strange = [key for key in unknown if key.rpartition(".")[0] not in grouped]
    if strange:
        what = f"holds {len(strange)} tensors that are no part of a LoRA: {some(strange)}"
        raise FileError(what, where=str(lora.path))
    for key in unknown:
        module, _, part = key.rpartition(".")
        grouped[module][part] = key
    return tuple(
        RawModule(name, split_module(name), keys, _shape(keys, specs))
        for name, keys in grouped.items()
    )


def read_learned(
    lora: LoraFile,
    modules: tuple[RawModule, ...],
    targets: Targets,
    specs: Mapping[str, TensorSpec],
) -> Learned:
    """What the modules say of a model's canonical weights (`specs`), read now.

    A module that may mean several weights is a FamilyError, two for one weight are a CorruptFile.
    """
    scaling = scaling_in(lora)
    shapes = {key: spec.shape for key, spec in specs.items()}
    parts: dict[str, Parts] = {}
    lost: dict[str, str] = {}
    for module in modules:
        target = _target(module, targets, lora)
        read = read_parts(module, lora, scaling)
        why = "not in the model" if target is None else _misfit(module, read, target)
        if target is None or why:
            lost[module.name] = why
            continue
        dealt = _dealt(read, target, shapes)
        if twice := dealt.keys() & parts.keys():
            what = f"'{module.name}' and another module both change {min(twice)}"
            hint = "It may hold two adapters, or one in two spellings; keep one of them."
            raise CorruptFile(what, where=str(lora.path), hint=hint)
        parts |= dealt
    return Learned(parts, lost)


def read_parts(module: RawModule, lora: LoraFile, scaling: Scaling) -> Parts:
    """A module's tensors in their shapes, with an alpha where only settings tell the scale."""
    store = lora.store
    parts = {
        part: store.read(key).reshape(store.specs[key].shape) for part, key in module.keys.items()
    }
    if UP in parts and DOWN in parts and ALPHA not in parts:
        rank = rank_of(parts)
        scale = scaling.scale(module.parsed, rank, None)
        if scale != 1:
            parts[ALPHA] = torch.tensor(scale * rank, dtype=torch.float32)
    elif ALPHA not in parts and lora.states_scale:
        _refuse_settings(module, parts, lora)
    if UP in parts and "lora_magnitude_vector" in module.keys.get(MAGNITUDE, ""):
        rows = (parts[UP].shape[0], *(1,) * (parts[UP].ndim - 1))
        parts[MAGNITUDE] = parts[MAGNITUDE].reshape(rows)  # PEFT's are [o] or [1, o, 1, 1]
    return parts


def _part(suffix: str) -> str:
    """A part by kohya's or LyCORIS' name."""
    if _MAGNITUDE.fullmatch(suffix):
        return MAGNITUDE
    return _ADAPTER.sub(r"\1", suffix)


def _shape(keys: Mapping[str, str], specs: Mapping[str, TensorSpec]) -> tuple[int, ...] | None:
    if DOWN not in keys or UP not in keys:
        return None
    _, inner, *kernel = specs[keys[DOWN]].shape
    middle = next((specs[keys[part]].shape[2:] for part in keys if part.startswith("lora_mid")), ())
    return (specs[keys[UP]].shape[0], inner, *(middle or kernel))


def _target(module: RawModule, targets: Targets, lora: LoraFile) -> Target | None:
    found = targets.find(module.parsed)
    fitting = [one for one in found if module.shape is None or same_weight(one.shape, module.shape)]
    if len(fitting) > 1:
        what = f"'{module.name}' may mean {' or '.join(one.key for one in fitting)}"
        hint = "Put the component before the names: unet., text_encoder., text_encoder_2."
        raise FamilyError(what, where=str(lora.path), hint=hint)
    return (fitting or [*found, None])[0]


def _misfit(module: RawModule, parts: Parts, target: Target) -> str:
    """Why a module cannot be one of this weight, or ""."""
    if module.shape is not None and not same_weight(target.shape, module.shape):
        return "another shape"
    if _is_renamed(target):
        return ""
    rows = MAGNITUDE not in parts or is_row_magnitude(parts)
    turned = any(piece.transpose for piece in target.pieces)
    return (
        "" if is_low_rank(parts) and rows and not turned else f"{kind_of(parts)} of a fused weight"
    )


def _is_renamed(target: Target) -> bool:
    first = target.pieces[0]
    starts = first.source_start == first.target_start == 0
    return len(target.pieces) == 1 and starts and not first.transpose


def _dealt(parts: Parts, target: Target, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Parts]:
    if _is_renamed(target):
        return {target.pieces[0].target: parts}
    return split(parts, target.pieces, shapes)


def _refuse_settings(module: RawModule, parts: Parts, lora: LoraFile) -> None:
    kind = kind_of(parts)
    if not any(part.startswith(("hada_", "lokr_")) for part in parts):
        return
    what = f"'{module.name}' is a {kind} whose scale stands apart from it in PEFT's settings"
    raise FileError(what, where=str(lora.path), hint="Bake it, or merge it into a LoRA.")
