"""Random tensors of one module of every kind of adapter, by the ends of their names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Shape = tuple[int, ...]
Parts = dict[str, Tensor]


class Draw:
    """Numbers of one seed, so small that a weight changes by a fraction of itself."""

    def __init__(self, seed: int, spread: float = 0.1) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._spread = spread

    def __call__(self, *shape: int) -> Tensor:
        """A tensor of this shape around 0."""
        return self._spread * torch.randn(shape, generator=self._generator)

    def around_one(self, *shape: int) -> Tensor:
        """A tensor of this shape around 1."""
        return 1 + self(*shape)


Make = Callable[[Shape, int, Draw], Parts]
"""(the weight's shape, rank, numbers) → parts; empty where the kind cannot change such a weight."""


def split(size: int) -> tuple[int, int]:
    """Two factors, the smaller first, as even as possible."""
    small = next(n for n in range(math.isqrt(size), 0, -1) if size % n == 0)
    return small, size // small


def _lora(shape: Shape, rank: int, draw: Draw) -> Parts:
    out, inner, *kernel = shape
    ones = [1] * len(kernel)
    return {
        "lora_down.weight": draw(rank, inner, *kernel),
        "lora_up.weight": draw(out, rank, *ones),
    }


def _tucker(shape: Shape, rank: int, draw: Draw) -> Parts:
    out, inner, *kernel = shape
    if math.prod(kernel) == 1:
        return {}
    return {
        "lora_down.weight": draw(rank, inner, 1, 1),
        "lora_up.weight": draw(out, rank, 1, 1),
        "lora_mid.weight": draw(rank, rank, *kernel),
    }


def _loha(shape: Shape, rank: int, draw: Draw) -> Parts:
    out, rest = shape[0], math.prod(shape[1:])
    return {f"hada_w{n}_{side}": draw(*size) for n in (1, 2)
            for side, size in (("a", (out, rank)), ("b", (rank, rest)))}  # fmt: skip


def _loha_tucker(shape: Shape, rank: int, draw: Draw) -> Parts:
    out, inner, *kernel = shape
    if math.prod(kernel) == 1:
        return {}
    sizes = {"w{}_a": (rank, out), "w{}_b": (rank, inner), "t{}": (rank, rank, *kernel)}
    return {
        f"hada_{name.format(n)}": draw(*size) * 3 for n in (1, 2) for name, size in sizes.items()
    }


def _lokr(shape: Shape, rank: int, draw: Draw) -> Parts:
    out, inner, *kernel = shape
    (o1, o2), (i1, i2) = split(out), split(inner)
    return {
        "lokr_w1": draw(o1, i1),
        "lokr_w2_a": draw(o2, rank),
        "lokr_w2_b": draw(rank, i2 * math.prod(kernel)),
    }


def _lokr_both(shape: Shape, rank: int, draw: Draw) -> Parts:
    parts = _lokr(shape, rank, draw)
    out, inner = parts.pop("lokr_w1").shape
    return {**parts, "lokr_w1_a": draw(out, rank), "lokr_w1_b": draw(rank, inner)}


def _lokr_full(shape: Shape, _: int, draw: Draw) -> Parts:
    out, inner, *kernel = shape
    (o1, o2), (i1, i2) = split(out), split(inner)
    return {"lokr_w1": draw(o1, i1), "lokr_w2": draw(o2, i2, *kernel)}


def _lokr_tucker(shape: Shape, rank: int, draw: Draw) -> Parts:
    out, inner, *kernel = shape
    if math.prod(kernel) == 1:
        return {}
    (o1, o2), (i1, i2) = split(out), split(inner)
    return {
        "lokr_w1": draw(o1, i1),
        "lokr_w2_a": draw(rank, o2),
        "lokr_w2_b": draw(rank, i2),
        "lokr_t2": draw(rank, rank, *kernel),
    }


def _full(shape: Shape, _: int, draw: Draw) -> Parts:
    return {"diff": draw(*shape), "diff_b": draw(shape[0])}


def _norm(shape: Shape, _: int, draw: Draw) -> Parts:
    return {"w_norm": draw(*shape), "b_norm": draw(*shape)}


def _set(shape: Shape, _: int, draw: Draw) -> Parts:
    return {"set_weight": draw(*shape)}


def _glora(shape: Shape, rank: int, draw: Draw) -> Parts:
    out, inner, *kernel = shape
    ones = [1] * len(kernel)
    return {
        "a1.weight": draw(inner, rank, *ones),
        "a2.weight": draw(rank, inner, *ones),
        "b1.weight": draw(out, rank, *ones),
        "b2.weight": draw(rank, inner, *kernel),
    }


def _ia3(shape: Shape, side: int, draw: Draw) -> Parts:
    size = shape[side]
    vector = draw(size) if len(shape) == 2 else draw(1, size, *[1] * (len(shape) - 2))
    return {"weight": vector, "on_input": torch.tensor(side)}


def _oft(shape: Shape, _: int, draw: Draw) -> Parts:
    small, large = split(shape[0])
    return {"oft_blocks": draw(large, small, small)}


def _boft(shape: Shape, _: int, draw: Draw) -> Parts:
    blocks = (shape[0] & -shape[0]) // 2  # as many as there can be of an even size
    stages, size = blocks.bit_length(), shape[0] // blocks
    ones = [1] * (len(shape) - 1)
    return {
        "oft_blocks": draw(stages, blocks, size, size),
        "rescale": draw.around_one(shape[0], *ones),
    }


def _dora(make: Make, side: int) -> Make:
    """A DoRA of this kind, with magnitudes by rows (0) or by columns (1)."""

    def made(shape: Shape, rank: int, draw: Draw) -> Parts:
        parts = make(shape, rank, draw)
        size = [1] * len(shape)
        size[side] = shape[side]
        return parts and {**parts, "dora_scale": draw.around_one(*size)}

    return made


ADAPTERS: Mapping[str, Make] = {
    "lora": _lora,
    "tucker": _tucker,
    "loha": _loha,
    "loha-tucker": _loha_tucker,
    "lokr": _lokr,
    "lokr-both": _lokr_both,
    "lokr-full": _lokr_full,
    "lokr-tucker": _lokr_tucker,
    "full": _full,
    "norm": _norm,
    "set": _set,
    "glora": _glora,
    "ia3": lambda shape, _, draw: _ia3(shape, 0, draw),
    "ia3-input": lambda shape, _, draw: _ia3(shape, 1, draw),
    "oft": _oft,
    "boft": _boft,
    "dora": _dora(_lora, 0),
    "dora-input": _dora(_lora, 1),
    "dora-loha": _dora(_loha, 0),
    "dora-lokr": _dora(_lokr, 1),
}
"""Every kind of adapter by a name for tests."""

WITH_ALPHA = ("lora", "tucker", "loha", "lokr", "glora", "dora")
"""Kinds whose files hold an alpha beside the factors, by how their names begin."""
