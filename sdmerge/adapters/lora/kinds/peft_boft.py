"""BOFT as PEFT saves it: input columns are rotated in butterfly stages, rows are scaled.

Liu et al. 2023 (https://arxiv.org/abs/2311.06243). `boft_R` [m, n, b, b] makes Q = (B - Bᵀ) / 2
and R = (I - Q)(I + Q)⁻¹; stage j brings together runs of b / 2 that lie 2ʲ runs apart. `boft_s`
multiplies the rows of the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Edit, Kind, Shape, flattened
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.adapters.lora.kinds.rotation import cayley, rotate
from sdmerge.tensors.store import TensorStore


@dataclass(frozen=True)
class PeftBoft(Edit):
    """The blocks' key, [m, n, b, b], and the key of the rows' factors."""

    blocks: str
    scales: str
    size: tuple[int, int, int]
    rows: int

    @property
    def shape(self) -> Shape:
        """Rows of the scales, columns of the blocks; of a kernel all its points count."""
        return self.rows, self.size[1] * self.size[2]

    def fits(self, shape: Shape) -> bool:
        """Whether there are as many rows and columns."""
        return len(shape) > 1 and flattened(shape) == self.shape

    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """The columns rotated, then the rows scaled."""
        learned = read(store, self.blocks).double()
        columns = weight.double().flatten(1).T.contiguous()
        half = self.size[2] // 2
        for stage, blocks in enumerate(cayley(-0.5 * (learned - learned.mT))):
            apart = _swapped(columns, 2, 2**stage, half) if stage else columns
            turned = rotate(blocks, apart)
            columns = _swapped(turned, 2**stage, 2, half) if stage else turned
        scaled = columns.T * read(store, self.scales).double().view(-1, 1)
        return scaled.reshape(weight.shape).float()


def _swapped(rows: Tensor, first: int, second: int, run: int) -> Tensor:
    """Runs of rows that are counted by (first, second), counted by (second, first)."""
    return rows.view(-1, first, second, run, rows.shape[-1]).transpose(1, 2).reshape(rows.shape)


def _peft_boft(keys: Keys) -> Iterator[Edit]:
    keys.require("boft_R", "boft_s")
    shape, scales = keys.shape("boft_R"), keys.shape("boft_s")
    if len(shape) != 4 or shape[2] != shape[3]:
        raise keys.corrupt(f"the blocks of module '{keys.name}' are {list(shape)}, not square")
    stages, count, block = shape[:3]
    if stages > 1 and (block % 2 or count % 2 ** (stages - 1)):
        raise keys.corrupt(f"module '{keys.name}' has {stages} stages of {count} blocks: too many")
    sizes = (stages, count, block)
    yield PeftBoft("weight", None, keys["boft_R"], keys["boft_s"], sizes, max(scales))


PEFT_BOFT = Kind(frozenset({"boft_R", "boft_s"}), _peft_boft)
