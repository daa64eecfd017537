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


def _smooth(x: float) -> float:
    return x * x * (3 - 2 * x)


def _within(*ranges: tuple[float, float], height: float = 1.0) -> Curve:
    """`height` inside the closed ranges of depth, 0 outside."""
    edge = 1e-9
    return lambda x: height if any(low - edge <= x <= high + edge for low, high in ranges) else 0.0


def _wrap(count: int) -> Curve:
    """1 in the first and the last `count` / 2 of SD1's 25 blocks, 0 between."""
    share = (count // 2 - 1) / 24
    return _within((0.0, share), (1.0 - share, 1.0))


def _fold(y: float) -> float:
    """`y` thrown back at 0 and 1, as a ball between two walls."""
    return 1 - abs(y % 2 - 1)


def _reverse(curve: Curve) -> Curve:
    return lambda x: 1 - curve(x)


def _out12_5(x: float) -> float:
    return 0.5 if abs(x - 0.5) < 1e-9 else float(x > 0.5)


def _steps() -> dict[str, Shape]:
    """The smooth steps that are amplified (`2SMOOTHSTEP`) or repeated (`HALF_SMOOTHSTEP`), folded."""
    repeats = {"HALF_": 2, "ONE_THIRD_": 3, "ONE_FOURTH_": 4}
    amplified = {f"{n}": (lambda x, n=n: _fold(n * _smooth(x))) for n in (2, 3, 4)}
    repeated = {name: (lambda x, n=n: _smooth(_fold(n * x))) for name, n in repeats.items()}
    found: dict[str, Shape] = {}
    for name, curve in {**amplified, **repeated}.items():
        found[f"{name}SMOOTHSTEP"] = Shape(curve)
        found[f"{name}R_SMOOTHSTEP"] = Shape(_reverse(curve))
    return found


PRESETS: Mapping[str, Shape] = {
    "ALL_A": Shape(lambda x: 0.0),
    "ALL_B": Shape(lambda x: 1.0, base=1.0),
    "FLAT_25": Shape(lambda x: 0.25),
    "FLAT_75": Shape(lambda x: 0.75),
    "GRAD_V": Shape(lambda x: abs(2 * x - 1)),
    "GRAD_A": Shape(lambda x: 1 - abs(2 * x - 1)),
    "WRAP08": Shape(_wrap(8)),
    "WRAP12": Shape(_wrap(12)),
    "WRAP14": Shape(_wrap(14)),
    "WRAP16": Shape(_wrap(16)),
    "MID12_50": Shape(_within((5 / 24, 18 / 24), height=0.5)),
    "OUT07": Shape(_within((18 / 24, 1.0))),
    "OUT12": Shape(_within((13 / 24, 1.0))),
    "OUT12_5": Shape(_out12_5),
    "SMOOTHSTEP": Shape(_smooth),
    "REVERSE_SMOOTHSTEP": Shape(_reverse(_smooth)),
    "COSINE": Shape(lambda x: (1 + math.cos(math.pi * x)) / 2),
    "REVERSE_COSINE": Shape(lambda x: (1 - math.cos(math.pi * x)) / 2),
    **_steps(),
}
