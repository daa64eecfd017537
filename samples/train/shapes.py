"""Silhouettes as masks over the plane; each fills about -1…1 in both directions."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def _circle(x: Tensor, y: Tensor) -> Tensor:
    return x * x + y * y < 0.92**2


def _square(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x.abs(), y.abs()) < 0.82


def _triangle(x: Tensor, y: Tensor) -> Tensor:
    return (y < 0.80) & (y > 1.75 * x.abs() - 0.98)


def _star(x: Tensor, y: Tensor, outer: float = 1.12, inner: float = 0.50) -> Tensor:
    sector = 2 * math.pi / 5
    angle = (torch.atan2(x, -y) + sector / 2) % sector - sector / 2
    radius = (x * x + y * y).sqrt()
    along, across = radius * angle.cos(), radius * angle.sin().abs()
    notch_x, notch_y = inner * math.cos(sector / 2), inner * math.sin(sector / 2)
    # inside the straight edge that runs from a point of the star to the next notch
    return (notch_x - outer) * across - notch_y * (along - outer) > 0


def _heart(x: Tensor, y: Tensor) -> Tensor:
    u, v = 1.22 * x, 0.10 - 1.22 * y
    return (u * u + v * v - 1) ** 3 - u * u * v**3 < 0


def _cross(x: Tensor, y: Tensor) -> Tensor:
    u, v = x.abs(), y.abs()
    return ((u < 0.32) & (v < 0.96)) | ((v < 0.32) & (u < 0.96))


def _ring(x: Tensor, y: Tensor) -> Tensor:
    squared = x * x + y * y
    return (squared < 1.0) & (squared > 0.58**2)


def _moon(x: Tensor, y: Tensor) -> Tensor:
    bite = (x - 0.52) ** 2 + (y + 0.18) ** 2 < 0.80**2
    return (x * x + y * y < 0.98**2) & ~bite


def _torii(x: Tensor, y: Tensor) -> Tensor:
    u = x.abs()
    roof = (y > -0.88) & (y < -0.55) & (u < 1.0)
    tie = (y > -0.28) & (y < -0.02) & (u < 0.82)
    posts = (u > 0.38) & (u < 0.68) & (y > -0.6) & (y < 0.94)
    return roof | tie | posts


MASKS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "cross": _cross,
    "ring": _ring,
    "moon": _moon,
    "torii": _torii,
}
