"""Presets: the block-weight curves people know by name, as curves over relative depth.

Depth runs from 0 (IN00) over 0.5 (the middle block) to 1 (the last OUT block), so one curve serves
SD1's 25 blocks, SDXL's 19 and any other number. The names and shapes are those of the 26-number
rows that SD1 tools share; BASE, which has no depth, takes the number `base`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Curve = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Shape:
    """A curve over depth 0..1 and the number that BASE takes."""

    curve: Curve
    base: float = 0.0


def row(name: str, blocks: int = 25) -> tuple[float, ...]:
    """A preset as a row for so many blocks: BASE, then the first block to the last."""
    shape = PRESETS[name]
    return (shape.base, *(shape.curve(block / (blocks - 1)) for block in range(blocks)))


def _flat(height: float) -> Curve:
    def curve(_: float) -> float:
        return height

    return curve


def _reverse(curve: Curve) -> Curve:
    return lambda x: 1 - curve(x)


def _valley(x: float) -> float:
    return abs(2 * x - 1)


def _smooth(x: float) -> float:
    return x * x * (3 - 2 * x)


def _descent(x: float) -> float:
    return (1 + math.cos(math.pi * x)) / 2


def _out12_5(x: float) -> float:
    return 0.5 if abs(x - 0.5) < 1e-9 else float(x > 0.5)


def _within(*ranges: tuple[int, int], height: float = 1.0) -> Curve:
    """`height` in these ranges of SD1's 25 blocks, both ends included, 0 outside."""
    edge = 1e-9

    def curve(x: float) -> float:
        return height if any(low - edge <= 24 * x <= high + edge for low, high in ranges) else 0.0

    return curve


def _wrap(count: int) -> Curve:
    """1 in the first and the last `count` / 2 of SD1's 25 blocks, 0 between."""
    last = count // 2 - 1
    return _within((0, last), (24 - last, 24))


def _soft_ring(x: float) -> float:
    """1 in two rings of SD1's 25 blocks, 0.5 on the blocks beside them."""
    return (_within((5, 9), (15, 19))(x) + _within((6, 8), (16, 18))(x)) / 2


def _hermite(x: float) -> float:
    return ((19 / 3 * x - 9.5) * x + 25 / 6) * x


def _true_hermite(x: float) -> float:
    """Lifted by 1/24, but for the first block: so it is in the rows that people share."""
    return ((77 / 12 * x - 77 / 8) * x + 25 / 6) * x + 1 / 24 if x > 1e-9 else 0.0


def _fold(y: float) -> float:
    """`y` thrown back at 0 and 1, as a ball between two walls."""
    return 1 - abs(y % 2 - 1)


def _amplified(times: int) -> Curve:
    return lambda x: _fold(times * _smooth(x))


def _repeated(times: int) -> Curve:
    return lambda x: _smooth(_fold(times * x))


def _both_ways() -> dict[str, Shape]:
    """Curves that are also known upside down: under REVERSE_, or with an R_ inside the name."""
    found: dict[str, Shape] = {}
    for prefix, name, curve in (
        ("", "SMOOTHSTEP", _smooth),
        ("", "COSINE", _descent),
        ("TRUE_", "CUBIC_HERMITE", _true_hermite),
        ("FAKE_", "CUBIC_HERMITE", _hermite),
    ):
        found[f"{prefix}{name}"] = Shape(curve)
        found[f"{prefix}REVERSE_{name}"] = Shape(_reverse(curve))
    for prefix, curve in (
        ("2", _amplified(2)),
        ("3", _amplified(3)),
        ("4", _amplified(4)),
        ("HALF_", _repeated(2)),
        ("ONE_THIRD_", _repeated(3)),
        ("ONE_FOURTH_", _repeated(4)),
    ):
        found[f"{prefix}SMOOTHSTEP"] = Shape(curve)
        found[f"{prefix}R_SMOOTHSTEP"] = Shape(_reverse(curve))
    return found


PRESETS: Mapping[str, Shape] = {
    "ALL_A": Shape(_flat(0.0)),
    "ALL_B": Shape(_flat(1.0), base=1.0),
    "FLAT_25": Shape(_flat(0.25)),
    "FLAT_75": Shape(_flat(0.75)),
    "GRAD_V": Shape(_valley),
    "GRAD_A": Shape(_reverse(_valley)),
    "WRAP08": Shape(_wrap(8)),
    "WRAP12": Shape(_wrap(12)),
    "WRAP14": Shape(_wrap(14)),
    "WRAP16": Shape(_wrap(16)),
    "MID12_50": Shape(_within((5, 18), height=0.5)),
    "OUT07": Shape(_within((18, 24))),
    "OUT12": Shape(_within((13, 24))),
    "OUT12_5": Shape(_out12_5),
    "RING08_SOFT": Shape(_soft_ring),
    "RING08_5": Shape(_within((6, 9), (15, 18))),
    "RING10_5": Shape(_within((5, 9), (15, 19))),
    "RING10_3": Shape(_within((6, 10), (14, 18))),
    **_both_ways(),
}
