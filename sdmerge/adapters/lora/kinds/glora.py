"""GLoRA: W′ = W + scale · (W · a1 · a2 + b1 · b2), a change of which one part depends on W.

Chavan et al. 2023 (https://arxiv.org/abs/2306.07967), without what acts on biases, as LyCORIS saves
it: a1 [i, r], a2 [r, i], b1 [o, r], b2 [r, i], and `bm` between b1 and b2 as a kernel's core. Its
older files have the factors of each pair the other way around; the shapes tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Edit, Kind, Shape
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.adapters.lora.kinds.products import inner, matmul
from sdmerge.tensors.store import TensorStore

_PARTS = ("a1", "a2", "b1", "b2")


@dataclass(frozen=True)
class GLora(Edit):
    """The keys of both pairs, the factor with the rank's columns first, and the core's or ""."""

    on_input: tuple[str, str]
    added: tuple[str, str]
    mid: str
    scale: float
    size: Shape

    @property
    def shape(self) -> Shape:
        """(o, i) or (o, i, k, k)."""
        return self.size

    @property
    def rowwise(self) -> bool:
        """The base is multiplied from the right alone."""
        return True

    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """W + scale · (W · A + B); a kernel is multiplied point by point."""
        left, right = (read(store, key).flatten(1) for key in self.on_input)
        points = weight.movedim(1, -1).reshape(-1, weight.shape[1])
        turned = matmul(matmul(points, left), right)
        turned = turned.view(weight.shape[0], *weight.shape[2:], weight.shape[1]).movedim(-1, 1)
        up, down = (read(store, key) for key in self.added)
        if self.mid:
            down = inner(read(store, self.mid), down.flatten(1))
        added = matmul(up.flatten(1), down.flatten(1)).view(weight.shape)
        return weight + (turned + added) * self.scale


def _glora(keys: Keys) -> Iterator[Edit]:
    keys.require(*_PARTS)
    orders = (("a1", "a2", "b1", "b2"), ("a2", "a1", "b2", "b1"))
    order = next((one for one in orders if _ordered(keys, *one)), None)
    if order is None:
        raise keys.differ()
    left, right, up, down = order
    rank, shape = keys.shape(right)[0], keys.kernel(down)
    mid = ""
    if "bm" in keys:
        mid, core = keys["bm"], keys.kernel("bm")
        keys.agree(rank, *core[:2])
        shape = (shape[0], shape[1], *core[2:])
    size = (keys.shape(up)[0], *shape[1:])
    pairs = (keys[left], keys[right]), (keys[up], keys[down])
    yield GLora("weight", rank, *pairs, mid, keys.scale(rank), size)


def _ordered(keys: Keys, left: str, right: str, up: str, down: str) -> bool:
    """Whether the pairs can be multiplied in this order, to something that fits a weight."""
    a, b, c = keys.matrix(left), keys.matrix(right), keys.kernel(up)
    d = keys.kernel(down)
    return a[1] == b[0] == c[1] == d[0] and a[0] == b[1] == d[1]


GLORA = Kind(frozenset({*_PARTS, "bm"}), _glora)
