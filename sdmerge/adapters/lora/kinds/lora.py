"""LoRA, and LoCon where the weight is a kernel: ΔW = scale · up @ down, with a core or without.

Hu et al. 2021 (https://arxiv.org/abs/2106.09685), eq. 3. DyLoRA is saved as one. With a core,
LyCORIS' `lora_mid` of a convolution, ΔW[o,i,…] = scale · Σ up[o,r] · mid[r,s,…] · down[s,i].
PEFT's `lora_bias` trains a bias of the up factor, which the scale belongs to as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sdmerge.adapters.lora.kinds.edit import Edit, Kind, LowRank, Shape
from sdmerge.adapters.lora.kinds.full import Full
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.adapters.lora.kinds.products import inner
from sdmerge.lowrank import Factors
from sdmerge.tensors.store import TensorStore


@dataclass(frozen=True)
class Lora(LowRank):
    """Both factors, where they lie in the file, and the core between them (or "")."""

    up: str
    down: str
    mid: str
    scale: float
    size: Shape

    @property
    def shape(self) -> Shape:
        """(o, i) or (o, i, k, k)."""
        return self.size

    def factors(self, store: TensorStore) -> Factors:
        """Both as matrices: a core goes into the down factor, [r, i·k·k]."""
        up = read(store, self.up).flatten(1)
        down = read(store, self.down)
        if self.mid:
            down = inner(read(store, self.mid), down.flatten(1))
        return Factors(up, down.flatten(1), self.scale)


@dataclass(frozen=True)
class EmbeddingLora(LowRank):
    """PEFT's LoRA of an embedding: both factors lie the other way around."""

    first: str
    second: str
    scale: float
    size: Shape

    @property
    def shape(self) -> Shape:
        """(words, width)."""
        return self.size

    def factors(self, store: TensorStore) -> Factors:
        """ΔW = scale · (B @ A)ᵀ."""
        first, second = read(store, self.first), read(store, self.second)
        return Factors(first.T.contiguous(), second.T.contiguous(), self.scale)


def _lora(keys: Keys) -> Iterator[Edit]:
    for part, partner in (("up", "down"), ("down", "up"), ("lora_mid", "up"), ("lora_B", "up")):
        if part in keys:
            keys.require(partner)
    rank, size = _size(keys)
    scale = keys.scale(rank)
    mid = keys.by_part.get("lora_mid", "")
    yield Lora("weight", rank, keys["up"], keys["down"], mid, scale, size)
    if "lora_B" in keys:
        yield Full("bias", None, keys["lora_B"], scale, keys.shape("lora_B"))


def _size(keys: Keys) -> tuple[int, Shape]:
    """The rank, and the shape of the weight."""
    up, down = keys.matrix("up"), keys.kernel("down")
    if "lora_mid" not in keys:
        keys.agree(up[1], down[0])
        return down[0], (up[0], *down[1:])
    core = keys.kernel("lora_mid")
    keys.agree(up[1], core[0])
    keys.agree(core[1], keys.matrix("down")[0])
    return down[0], (up[0], down[1], *core[2:])


def _embedding(keys: Keys) -> Iterator[Edit]:
    keys.require("lora_embedding_A", "lora_embedding_B")
    first, second = keys.matrix("lora_embedding_A"), keys.matrix("lora_embedding_B")
    keys.agree(first[0], second[1])
    rank, size = first[0], (first[1], second[0])
    scale = keys.scale(rank)
    parts = keys["lora_embedding_A"], keys["lora_embedding_B"]
    yield EmbeddingLora("weight", rank, *parts, scale, size)


LORA = Kind(frozenset({"down", "up", "lora_mid", "lora_B"}), _lora)
EMBEDDING = Kind(frozenset({"lora_embedding_A", "lora_embedding_B"}), _embedding)
