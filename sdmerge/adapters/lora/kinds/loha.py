"""LoHa: ΔW = scale · (w1_a @ w1_b) ∘ (w2_a @ w2_b), a Hadamard product of two low ranks.

FedPara, Hyeon-Woo et al. 2021 (https://arxiv.org/abs/2108.06098), prop. 1, as LyCORIS and PEFT save
it; with `hada_t1` and `hada_t2` each factor is Σ a[r,o] · t[r,s,…] · b[s,i] (prop. 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Delta, Edit, Kind, Shape, flattened, low_enough
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.adapters.lora.kinds.products import matmul, tucker
from sdmerge.lowrank import Factors
from sdmerge.tensors.store import TensorStore

_MATRICES = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
_CORES = ("hada_t1", "hada_t2")


@dataclass(frozen=True)
class LoHa(Delta):
    """The factors' keys (a, b) twice, and two cores or none. A kernel may be flat: (o, i·k·k)."""

    matrices: tuple[str, str, str, str]
    cores: tuple[str, str] | None
    scale: float
    size: Shape

    @property
    def shape(self) -> Shape:
        """(o, i, k, k) with cores, else (o, i·k·k)."""
        return self.size

    def fits(self, shape: Shape) -> bool:
        """Without cores any kernel of as many numbers fits."""
        return super().fits(shape) or (
            self.cores is None and len(shape) > 1 and flattened(shape) == self.size
        )

    def delta(self, store: TensorStore, shape: Shape) -> Tensor:
        """One product times the other."""
        one_a, one_b, other_a, other_b = (read(store, key) for key in self.matrices)
        if self.cores is None:
            product = matmul(one_a, one_b) * matmul(other_a, other_b)
        else:
            first, second = (read(store, key) for key in self.cores)
            product = tucker(one_a.T, first, one_b) * tucker(other_a.T, second, other_b)
        return product.mul(self.scale).view(shape)

    def factors(self, store: TensorStore) -> Factors | None:
        """(A ∘ B)'s rank is r² at most: products of columns, and products of rows."""
        assert self.rank is not None, "a LoHa has a rank"
        if self.cores is not None or not low_enough(self.rank**2, flattened(self.size)):
            return None
        one_a, one_b, other_a, other_b = (read(store, key) for key in self.matrices)
        up = (one_a[:, :, None] * other_a[:, None, :]).flatten(1)
        down = (one_b[:, None, :] * other_b[None, :, :]).flatten(0, 1)
        return Factors(up, down, self.scale)


def _loha(keys: Keys) -> Iterator[Edit]:
    keys.require(*_MATRICES)
    one_a, one_b, other_a, other_b = (keys.matrix(part) for part in _MATRICES)
    matrices = (keys[_MATRICES[0]], keys[_MATRICES[1]], keys[_MATRICES[2]], keys[_MATRICES[3]])
    rank = one_b[0]
    if not any(part in keys for part in _CORES):
        keys.agree(rank, one_a[1], other_a[1], other_b[0])
        yield LoHa("weight", rank, matrices, None, keys.scale(rank), (one_a[0], one_b[1]))
        return
    keys.require(*_CORES)
    first, second = keys.kernel("hada_t1"), keys.kernel("hada_t2")
    keys.agree(rank, one_a[0], other_a[0], other_b[0], *first[:2], *second[:2])
    size = (one_a[1], one_b[1], *first[2:])
    cores = keys["hada_t1"], keys["hada_t2"]
    yield LoHa("weight", rank, matrices, cores, keys.scale(rank), size)


LOHA = Kind(frozenset({*_MATRICES, *_CORES}), _loha)
