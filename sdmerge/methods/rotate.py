"""One model turned towards another: orthogonal Procrustes."""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor
from torch.linalg import eigh, qr, svd

from sdmerge.lowrank import one_thread
from sdmerge.method import Weight, method
from sdmerge.params import Fraction, Range

_NOTHING = 1e-10  # of the largest singular value, and of a matrix's norm


def frames(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal columns u and v [p, r]: x·Q is nearest to y [n, p] if Q turns each u to its v."""
    if x.shape[1] <= x.shape[0]:
        u, sigma, vh = svd(x.T @ y, full_matrices=False)
    else:  # the product of p rows has no more than n directions
        (of_x, left), (of_y, right) = qr(x.T), qr(y.T)
        u, sigma, vh = svd(left @ right.T, full_matrices=False)
        u, vh = of_x @ u, vh @ of_y.T
    rank = int((sigma > _NOTHING * sigma.max()).sum())
    return u[:, :rank], vh[:rank].T


def turned(x: Tensor, u: Tensor, v: Tensor, power: float) -> Tensor:
    """x·Q^power, Q the orthogonal matrix that takes u to v and else turns as little as it can."""
    if power == 0:
        return x
    if power == 1:
        along = x @ u
        if (x - along @ u.T).norm() <= _NOTHING * x.norm():
            return along @ v.T
    # all else stays where it is: Q lives in the space of u and v
    basis = qr(torch.cat([u, v], 1))[0] if 2 * u.shape[1] < len(u) else torch.eye(len(u)).to(u)
    inside = x @ basis
    moved = inside @ _power(_least_turn(basis.T @ u, basis.T @ v), power)
    return x + (moved - inside) @ basis.T


def _least_turn(u: Tensor, v: Tensor) -> Tensor:
    """The orthogonal Q of largest trace among those that take u to v [k, r]."""
    rank = u.shape[1]
    free_u, free_v = (qr(frame, mode="complete")[0][:, rank:] for frame in (u, v))
    left, _, right = svd(free_v.T @ free_u)
    return u @ v.T + free_u @ right.T @ left.T @ free_v.T


def _power(rotation: Tensor, power: float) -> Tensor:
    """The real part of the principal power, from Q = cos Θ + K: cos(tΘ) + sin(tΘ)/sin(Θ)·K.

    cos Θ = (Q + Qᵀ)/2 and K = (Q - Qᵀ)/2 commute, so one symmetric decomposition does it.
    """
    if power == 1:
        return rotation
    cosine, vectors = eigh((rotation + rotation.T) / 2)
    angle = cosine.clamp(-1.0, 1.0).arccos()
    sine = angle.sin()
    at_ends = torch.where(cosine > 0, power, 0.0)  # where K is zero
    ratio = torch.where(sine > 1e-7, (power * angle).sin() / sine, at_ends)
    still = vectors * (power * angle).cos() @ vectors.T
    return still + vectors * ratio @ vectors.T @ (rotation - rotation.T) / 2


def _points(tensor: Tensor) -> Tensor:
    """The rows of a matrix, or the kernels of a convolution, in float64."""
    kernel = math.prod(tensor.shape[2:])
    return tensor.double().reshape(-1, kernel) if kernel > 1 else tensor.double().flatten(1)


@method(title="Rotate", paper="https://doi.org/10.1007/BF02289451", unit="tensor")
def rotate(
    a: Weight, b: Weight, *,
    alignment: Annotated[float, Range(0.0, 1.0, limits=(-1.0, 2.0))] = 1.0, alpha: Fraction = 0.0,
) -> Weight:  # fmt: skip
    """Turn A's neurons towards B's as a whole, without changing their distances: A·Q^alignment.

    Q is the orthogonal matrix of least ‖A·Q - B‖ (Schönemann, "A generalized solution of the
    orthogonal Procrustes problem", 1966), of the rows about their mean; a convolution's rows are
    its single kernels. The mean goes in a straight line. Directions that A and B leave free turn as
    little as they can; one that is mirrored passes through zero half-way. A bias has nothing to
    turn: it is mixed by alpha. A is base_model if the recipe has one.

    alignment: How far A is turned, as a power of Q: 0 not at all, 1 as far as it fits B best.
    alpha: How much of B, turned likewise, is mixed in: at alignment 1 (1-α)·A·Q + α·B, so that
        both at 1 give B.
    """
    if a.ndim < 2:
        return (1 - alpha) * a + alpha * b
    with one_thread():
        x, y = _points(a), _points(b)
        mean_x, mean_y = x.mean(0), y.mean(0)
        x, y = x - mean_x, y - mean_y
        u, v = frames(x, y)
        mixed = (1 - alpha) * turned(x, u, v, alignment)
        if alpha:
            mixed = mixed + alpha * turned(y, u, v, alignment - 1)
        mixed = mixed + (1 - alignment) * mean_x + alignment * mean_y
    return mixed.reshape(a.shape).to(a.dtype)
