"""diag-OFT and BOFT as LyCORIS and kohya save them: output rows are rotated, block by block.

Qiu et al. 2023 (https://arxiv.org/abs/2306.07280): R = (I + Q)(I - Q)⁻¹ with the skew-symmetric
Q = B - Bᵀ, of which the norm is held below `alpha` · o if alpha is not 0. `oft_blocks` [n, b, b] is
one rotation, W′ = diag(Rᵀ) · W; [m, n, b, b] are m butterfly stages (Liu et al. 2023,
https://arxiv.org/abs/2311.06243), each of which rotates rows that lie further apart. `rescale`
multiplies the rows of the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Edit, Kind, Shape
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.adapters.lora.kinds.rotation import cayley, rotate, shuffle
from sdmerge.tensors.store import TensorStore


@dataclass(frozen=True)
class Oft(Edit):
    """Blocks of size (m, n, b), m 1 for diag-OFT; the rescale's key or ""; a bound of ‖Q‖ or 0."""

    blocks: str
    rescale: str
    bound: float
    size: tuple[int, int, int]
    butterfly: bool

    @property
    def shape(self) -> Shape:
        """As many rows as the blocks have; the columns are left open."""
        return self.size[1] * self.size[2], -1

    def fits(self, shape: Shape) -> bool:
        """Whether there are as many rows."""
        return len(shape) > 1 and shape[0] == self.shape[0]

    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """The rows rotated, then rescaled."""
        stages, count, size = self.size
        rotations = self._rotations(store).view(stages, count, size, size)
        rows = weight.double().flatten(1)
        if not self.butterfly:
            rows = rotate(rotations[0].mT, rows)
        else:
            for stage, blocks in enumerate(rotations):
                run = 2**stage * (size // 2)
                rows = shuffle(rotate(blocks, shuffle(rows, 2, run)), run, 2)
        if self.rescale:
            rows = rows * read(store, self.rescale).double().reshape(-1, 1)
        return rows.view(weight.shape).float()

    def _rotations(self, store: TensorStore) -> Tensor:
        learned = read(store, self.blocks).double()
        skew = learned - learned.mT
        norm = math.sqrt(float(skew.square().sum())) + 1e-8
        if self.bound > 0 and norm > self.bound:
            skew = skew * (self.bound / norm)
        return cayley(skew)


def _oft(keys: Keys) -> Iterator[Edit]:
    keys.require("oft_blocks")
    shape = keys.shape("oft_blocks")
    if len(shape) not in (3, 4) or shape[-1] != shape[-2] or (len(shape) == 4 and shape[-1] % 2):
        raise keys.corrupt(f"the blocks of module '{keys.name}' are {list(shape)}, not square")
    stages, count, size = (1, *shape[:2]) if len(shape) == 3 else (shape[0], shape[1], shape[2])
    rescale = ""
    if "rescale" in keys:
        rescale = keys["rescale"]
        keys.agree(keys.store.specs[rescale].numel, count * size)
    if count % 2 ** (stages - 1):
        raise keys.corrupt(f"module '{keys.name}' has {stages} stages of {count} blocks: too many")
    bound = (keys.alpha() or 0.0) * count * size
    blocks = keys["oft_blocks"]
    yield Oft("weight", None, blocks, rescale, bound, (stages, count, size), len(shape) == 4)


OFT = Kind(frozenset({"oft_blocks", "rescale"}), _oft)
