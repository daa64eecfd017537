"""Resize: the nearest LoRA of smaller ranks, module by module, with its error.

ΔW = scale · up @ down is never formed: its singular values are those of a small core between the
QR factors of up and down (`lowrank.compress`), and cutting them off is the best there is (Eckart &
Young 1936, doi:10.1007/BF02288367).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from sdmerge.adapters import LoraFile
from sdmerge.adapters.lora.binding import some
from sdmerge.adapters.lora.file import FileModule
from sdmerge.adapters.lora.folder import scaling_in
from sdmerge.adapters.lora.learned import read_parts
from sdmerge.adapters.lora.parts import (
    ALPHA,
    DOWN,
    MAGNITUDE,
    UP,
    Parts,
    factors_of,
    is_low_rank,
    kind_of,
    parts_of,
    rank_of,
    weight_shape,
)
from sdmerge.adapters.lora.rewriting import rewritten
from sdmerge.adapters.lora.saving import file_bytes
from sdmerge.errors import InputError
from sdmerge.lora.ranks import Wanted, ranks_by_size
from sdmerge.lowrank import Factors, compress, norm, singular_values, stack
from sdmerge.tensors.dtypes import TORCH

RECORD = "sdmerge.resize"


@dataclass(frozen=True, slots=True)
class Cut:
    """What became of one module: ranks, ‖ΔW‖, and the relative error of what is stored."""

    module: str
    before: int
    after: int
    norm: float
    error: float


@dataclass(frozen=True, slots=True)
class Resized:
    """Every module's parts, smaller or as they were; what was cut; what stayed as it is, why."""

    modules: Sequence[tuple[FileModule, Parts]]
    cuts: Sequence[Cut]
    kept: Mapping[str, str]

    @property
    def error(self) -> float:
        """‖ΔW − stored ΔW‖ / ‖ΔW‖ over all modules together."""
        whole = math.hypot(*(cut.norm for cut in self.cuts))
        return math.hypot(*(cut.norm * cut.error for cut in self.cuts)) / whole if whole else 0.0


def resize(
    lora: LoraFile, wanted: Wanted, *, dtype: str | None = None, partial: bool = False
) -> Resized:
    """`lora` with smaller ranks, in memory; a module that keeps its rank keeps its bytes.

    dtype: What factors are stored in ("F16"); as they are if not given.
    partial: Keep modules that are no plain LoRAs as they are; else these are an InputError.
    """
    scaling = scaling_in(lora)
    read = [(module, read_parts(module, lora, scaling)) for module in lora.every_module]
    kept = {module.name: kind_of(parts) for module, parts in read if not _is_plain(parts)}
    if len(kept) == len(read) or (kept and not partial):
        what = f"{len(kept)} of {len(read)} modules are no plain LoRAs: "
        shown = some(f"{name} ({kind})" for name, kind in kept.items())
        hint = "--partial keeps these as they are." if len(kept) < len(read) else ""
        raise InputError(what + shown, where=str(lora.path), hint=hint)
    ranks = _ranks_by_size(lora, read, wanted.size, dtype) if wanted.size else {}
    made = [
        (module, parts if module.name in kept else _smaller(parts, ranks.get(module.name), wanted))
        for module, parts in read
    ]
    stored = [(module, _stored(parts, dtype)) for module, parts in made]
    cuts = [
        _cut(module.name, parts, after)
        for (module, parts), (_, after) in zip(read, stored, strict=True)
        if module.name not in kept
    ]
    return Resized(stored, cuts, kept)


def metadata_of(lora: LoraFile, cuts: Sequence[Cut], error: float) -> dict[str, str]:
    """What the smaller file says: the file's own words, the new rank and alpha, and each error."""
    ranks = {cut.after for cut in cuts}
    told = str(ranks.pop()) if len(ranks) == 1 else "Dynamic"  # kohya's word
    record = {
        "error": f"{error:.3e}",
        "modules": {cut.module: [cut.before, cut.after, f"{cut.error:.3e}"] for cut in cuts},
    }
    trained = {"ss_network_dim": told, "ss_network_alpha": told}
    own = {name: trained.get(name, text) for name, text in lora.metadata.items()}
    return {**own, RECORD: json.dumps(record)}


def _is_plain(parts: Parts) -> bool:
    return is_low_rank(parts) and MAGNITUDE not in parts


def _smaller(parts: Parts, rank: int | None, wanted: Wanted) -> Parts:
    made = compress(factors_of(parts), wanted.bounds(rank)).factors
    if made.rank >= rank_of(parts):
        return parts
    found = parts_of(made, weight_shape(parts))
    return {**found, DOWN: found[DOWN].to(parts[DOWN].dtype), UP: found[UP].to(parts[UP].dtype)}


def _stored(parts: Parts, dtype: str | None) -> Parts:
    if dtype is None:
        return parts
    return {
        name: value.to(TORCH[dtype]) if name != ALPHA and value.is_floating_point() else value
        for name, value in parts.items()
    }


def _cut(name: str, before: Parts, after: Parts) -> Cut:
    whole, kept = factors_of(before), factors_of(after)
    length = norm(whole)
    lost = norm(stack([whole, Factors(-kept.up, kept.down, kept.scale)]))
    return Cut(name, rank_of(before), rank_of(after), length, lost / length if length else 0.0)


def _ranks_by_size(
    lora: LoraFile, read: Sequence[tuple[FileModule, Parts]], size: int, dtype: str | None
) -> dict[str, int]:
    """The ranks that fill a file of `size` bytes nearly, its header counted."""
    plain = {module.name: parts for module, parts in read if _is_plain(parts)}
    values = {name: singular_values(factors_of(parts)) for name, parts in plain.items()}
    costs = {name: _cost(_hollow(parts, 1, dtype)) for name, parts in plain.items()}
    least = _size_with(lora, read, dict.fromkeys(plain, 1), dtype)
    if least > size:
        what = f"takes {least:,} bytes with rank 1 in every module, not {size:,}"
        raise InputError(what, where=str(lora.path), hint="Allow a larger file.")
    budget = size - least + sum(costs.values())
    while True:
        ranks = ranks_by_size(values, costs, budget)
        over = _size_with(lora, read, ranks, dtype) - size
        if over <= 0:
            return ranks
        # longer numbers in the header took their room
        budget = max(budget - over, sum(costs.values()))


def _size_with(
    lora: LoraFile,
    read: Sequence[tuple[FileModule, Parts]],
    ranks: Mapping[str, int],
    dtype: str | None,
) -> int:
    """The bytes of the file with these ranks."""
    modules = [
        (module, _hollow(parts, ranks[module.name], dtype) if module.name in ranks else parts)
        for module, parts in read
    ]
    cuts = [
        Cut(module.name, rank_of(parts), ranks[module.name], 0.0, 0.0)
        for module, parts in read
        if module.name in ranks
    ]
    return file_bytes(rewritten(lora, modules), metadata_of(lora, cuts, 0.0))


def _hollow(parts: Parts, rank: int, dtype: str | None) -> Parts:
    """Parts of this rank that have no numbers yet."""
    down, up = parts[DOWN], parts[UP]
    made = {
        DOWN: torch.empty(rank, *down.shape[1:], dtype=down.dtype, device="meta"),
        UP: torch.empty(up.shape[0], rank, *up.shape[2:], dtype=up.dtype, device="meta"),
    }
    same = rank == rank_of(parts) and ALPHA in parts
    return {**_stored(made, dtype), ALPHA: parts[ALPHA] if same else torch.tensor(float(rank))}


def _cost(parts: Parts) -> int:
    return sum(one.numel() * one.element_size() for name, one in parts.items() if name != ALPHA)
