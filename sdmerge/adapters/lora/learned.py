"""Learned: a LoRA file's tensors as parts by canonical weight, as they lie in it.

Nothing is multiplied or rounded: this is what converting between dialects needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from sdmerge.adapters.lora.file import FileModule, LoraFile
from sdmerge.adapters.lora.folder import scaling_in
from sdmerge.adapters.lora.names import suffix_of
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
    split,
)
from sdmerge.adapters.lora.scaling import Scaling
from sdmerge.adapters.lora.targets import Target, Targets
from sdmerge.errors import CorruptFile, FamilyError, FileError
from sdmerge.tensors.spec import TensorSpec


@dataclass(frozen=True, slots=True)
class Learned:
    """The parts by canonical weight, and the modules that have no place in the model, and why."""

    parts: Mapping[str, Parts]
    lost: Mapping[str, str]


def read_learned(lora: LoraFile, targets: Targets, specs: Mapping[str, TensorSpec]) -> Learned:
    """What a file's modules say of a model's canonical weights (`specs`), read now.

    A module that may mean several weights is a FamilyError, two for one weight are a CorruptFile.
    """
    scaling = scaling_in(lora)
    shapes = {key: spec.shape for key, spec in specs.items()}
    parts: dict[str, Parts] = {}
    lost: dict[str, str] = {}
    for module in lora.every_module:
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


def read_parts(module: FileModule, lora: LoraFile, scaling: Scaling) -> Parts:
    """A module's tensors in their shapes, with an alpha where only settings tell the scale."""
    store = lora.store
    parts = {
        suffix_of(part): store.read(key).reshape(store.specs[key].shape)
        for part, key in module.keys.items()
    }
    if UP in parts and DOWN in parts and ALPHA not in parts:
        rank = rank_of(parts)
        scale = scaling.scale(module.parsed, rank, None)
        if scale != 1:
            parts[ALPHA] = torch.tensor(scale * rank, dtype=torch.float32)
    elif ALPHA not in parts and lora.states_scale:
        _refuse_settings(module, parts, lora)
    if UP in parts and "lora_magnitude_vector" in module.keys:
        rows = (parts[UP].shape[0], *(1,) * (parts[UP].ndim - 1))
        parts[MAGNITUDE] = parts[MAGNITUDE].reshape(rows)  # PEFT's are [o] or [1, o, 1, 1]
    return parts


def _target(module: FileModule, targets: Targets, lora: LoraFile) -> Target | None:
    found = targets.find(module.parsed)
    fitting = [one for one in found if _fits(module, one)]
    if len(fitting) > 1:
        what = f"'{module.name}' may mean {' or '.join(one.key for one in fitting)}"
        hint = "Put the component before the names: unet., text_encoder., text_encoder_2."
        raise FamilyError(what, where=str(lora.path), hint=hint)
    return (fitting or [*found, None])[0]


def _misfit(module: FileModule, parts: Parts, target: Target) -> str:
    """Why a module cannot be one of this weight, or ""."""
    if not _fits(module, target):
        return "another shape"
    if _is_renamed(target):
        return ""
    rows = MAGNITUDE not in parts or is_row_magnitude(parts)
    turned = any(piece.transpose for piece in target.pieces)
    return (
        "" if is_low_rank(parts) and rows and not turned else f"{kind_of(parts)} of a fused weight"
    )


def _fits(module: FileModule, target: Target) -> bool:
    """Whether the weight's shape is that of the module, as far as is known."""
    return module.of_weight is None or module.of_weight.fits(target.shape)


def _is_renamed(target: Target) -> bool:
    first = target.pieces[0]
    starts = first.source_start == first.target_start == 0
    return len(target.pieces) == 1 and starts and not first.transpose


def _dealt(parts: Parts, target: Target, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Parts]:
    if _is_renamed(target):
        return {target.pieces[0].target: parts}
    return split(parts, target.pieces, shapes)


def _refuse_settings(module: FileModule, parts: Parts, lora: LoraFile) -> None:
    kind = kind_of(parts)
    if not any(part.startswith(("hada_", "lokr_")) for part in parts):
        return
    what = f"'{module.name}' is a {kind} whose scale stands apart from it in PEFT's settings"
    raise FileError(what, where=str(lora.path), hint="Bake it, or merge it into a LoRA.")
