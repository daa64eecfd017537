"""OFT as PEFT saves it: input columns are rotated, W′ = W · diag(R)ᵀ.

`oft_R` [n, b·(b-1)/2] holds the upper triangles of skew-symmetric Q (one row for all blocks with
block_share). Its configuration says how R is made of them: exactly, R = (I - Q)(I + Q)⁻¹, or as
Neumann's series I + 2Q + 2Q² + … with half of the last term, which is what PEFT does since 0.18;
and whether Q is held below a norm (`coft`: eps / √n of a block).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Edit, Kind, Shape, flattened
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.adapters.lora.kinds.rotation import cayley, rotate
from sdmerge.errors import FileError
from sdmerge.tensors.store import TensorStore

_SINCE = (0, 18)


@dataclass(frozen=True)
class PeftOft(Edit):
    """The vectors' key; `terms` of the series or 0 for the exact map; a bound of ‖Q‖ or 0."""

    vectors: str
    terms: int
    bound: float
    count: int
    block: int
    shared: bool

    @property
    def shape(self) -> Shape:
        """As many columns as the blocks have (of a kernel all its points count); rows are open."""
        return -1, self.count * self.block

    def fits(self, shape: Shape) -> bool:
        """Whether there are as many columns; of shared blocks any number."""
        columns = flattened(shape)[1]
        whole = columns % self.block == 0 if self.shared else columns == self.count * self.block
        return len(shape) > 1 and whole

    @property
    def rowwise(self) -> bool:
        """Columns are rotated in every row alike."""
        return True

    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """The columns rotated."""
        columns = weight.double().flatten(1).T.contiguous()
        blocks = self._rotations(store)
        if self.shared:
            blocks = blocks.expand(columns.shape[0] // self.block, -1, -1)
        return rotate(blocks, columns).T.reshape(weight.shape).float()

    def _rotations(self, store: TensorStore) -> Tensor:
        upper = torch.zeros(self.count, self.block, self.block, dtype=torch.float64)
        rows, columns = torch.triu_indices(self.block, self.block, 1)
        upper[:, rows, columns] = read(store, self.vectors).double()
        skew = upper - upper.mT
        if self.bound > 0:
            norms = skew.square().sum((1, 2), keepdim=True).sqrt()
            skew = torch.where(norms > self.bound, skew * (self.bound / norms), skew)
        return _series(skew, self.terms) if self.terms else cayley(-skew)


def _series(skew: Tensor, terms: int) -> Tensor:
    """The first terms of I + 2Q + 2Q² + …, as PEFT adds them up: the last counts half."""
    total = torch.eye(skew.shape[-1], dtype=skew.dtype).expand_as(skew).clone()
    if terms < 2:
        return total
    total += 2 * skew
    if terms > 2:
        power = skew @ skew
        total += 2 * power
        for _ in range(3, terms - 1):
            power = power @ skew
            total += 2 * power
        total += power @ skew
    return total


def _peft_oft(keys: Keys) -> Iterator[Edit]:
    count, numbers = keys.matrix("oft_R")
    block = (1 + math.isqrt(1 + 8 * numbers)) // 2
    keys.agree(block * (block - 1) // 2, numbers)
    terms = int(_number(keys, "num_cayley_neumann_terms", 5)) if _by_series(keys) else 0
    bound = 0.0
    if keys.scaling.setting(keys.parsed, "coft"):
        bound = _number(keys, "eps", 6e-5) / math.sqrt(count)
    shared = bool(keys.scaling.setting(keys.parsed, "block_share"))
    yield PeftOft("weight", None, keys["oft_R"], terms, bound, count, block, shared)


def _by_series(keys: Keys) -> bool:
    """Whether the configuration asks for the series; without a configuration nobody can know."""
    stated = keys.scaling.setting(keys.parsed, "use_cayley_neumann")
    where = str(keys.store.path)
    if stated is None:
        what = f"'{keys.name}' is an OFT of PEFT without its configuration: it says how R is made"
        hint = "Put adapter_config.json, of PEFT 0.15 or newer, beside the file."
        raise FileError(what, where=where, hint=hint)
    written = str(keys.scaling.setting(keys.parsed, "peft_version") or "0.0")
    version = tuple(int(part) for part in re.findall(r"\d+", written)[:2])
    if stated and version < _SINCE:
        what = "is an OFT by Neumann's series of PEFT before 0.18, which meant another one"
        raise FileError(what, where=where, hint="Merge it with the PEFT that made it.")
    return bool(stated)


def _number(keys: Keys, setting: str, default: float) -> float:
    found = keys.scaling.setting(keys.parsed, setting)
    if found is None:
        return default
    if not isinstance(found, int | float):
        raise FileError(f"'{setting}' is {found!r}, not a number", where=str(keys.store.path))
    return float(found)


PEFT_OFT = Kind(frozenset({"oft_R"}), _peft_oft)
