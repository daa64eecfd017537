"""The zip gate and SSR-Merge: least squares on the inputs of models with factors of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from methods.spectral import Matrix, close, draw, svd
from sdmerge.methods import METHODS
from sdmerge.methods.ssr_merge import _products

COUNT = 40


def body(name: str, deltas: list[Matrix], stat: Any, **values: Any) -> Matrix:
    """The body on float64 deltas [n, …]; weights are one per model."""
    stack = torch.from_numpy(np.stack(deltas))
    weight = torch.tensor(values.pop("weight", [1.0] * len(deltas)))
    values["weight"] = weight.reshape(-1, *[1] * (stack.dim() - 1))
    return METHODS[name].body(stack, stat, **values).double().numpy()


def inputs(width: int, seed: int) -> Matrix:
    """What a layer sees, in rows; every channel has a power of its own."""
    powers = np.random.default_rng(seed).uniform(0.2, 2, width)
    return draw(1, (COUNT, width), seed)[0] * powers


def squares(xs: list[Matrix]) -> dict[str, torch.Tensor]:
    return {str(k): torch.from_numpy(np.mean(x**2, axis=0)) for k, x in enumerate(xs)}


@pytest.mark.parametrize("shape", [(8, 6), (4, 2, 3, 3)])
def test_the_gate_is_the_least_squares_of_column_mergers(shape: tuple[int, ...]) -> None:
    deltas, width = draw(3, shape), int(np.prod(shape[1:]))
    rows = [delta.reshape(shape[0], -1) for delta in deltas]
    xs, shares = [inputs(width, seed) for seed in range(3)], (1.0, 0.5, 2.0)
    wanted = np.zeros_like(rows[0])
    for j in range(width):
        # √uₖ·(Σₗ mₗ ΔWₗⱼ - ΔWₖⱼ) for all k below each other, solved for m
        columns = np.stack([row[:, j] for row in rows], axis=1)
        pulls = [np.sqrt(w * np.mean(x[:, j] ** 2)) for w, x in zip(shares, xs, strict=True)]
        left = np.vstack([pull * columns for pull in pulls])
        right = np.concatenate([pull * columns[:, k] for k, pull in enumerate(pulls)])
        m, *_ = np.linalg.lstsq(left, right, rcond=None)
        wanted[:, j] = columns @ m
    found = body("zip_gate", deltas, squares(xs), weight=shares, lambda_=0.5)
    close(found, 0.5 * wanted.reshape(shape), 1e-6)


def test_the_gate_keeps_what_one_model_alone_changes() -> None:
    first, second = draw(2, (5, 4))
    first[:, 2:], second[:, :3] = 0, 0
    xs = [inputs(4, seed) for seed in range(2)]
    close(body("zip_gate", [first, second], squares(xs)), first + second, 1e-6)
    close(body("zip_gate", [first, np.zeros_like(first)], squares(xs)), first, 1e-6)


def test_what_no_layer_sees_is_averaged_over_those_that_change_it() -> None:
    first, second, none = *draw(2, (5,)), np.zeros(5)
    close(body("zip_gate", [first, second, none], {}), (first + second) / 2, 1e-6)


def factors(delta: Matrix, rank: int) -> tuple[Matrix, Matrix]:
    """U√Σ and √ΣVᵀ of a matrix of this rank."""
    left, values, right = svd(delta.reshape(len(delta), -1))
    root = np.sqrt(values[:rank])
    return left[:, :rank] * root, root[:, None] * right[:rank]


def signals(downs: list[Matrix], xs: list[Matrix]) -> dict[str, torch.Tensor]:
    """What the fit yields: the code's own sums, over its own factors."""
    down = torch.from_numpy(np.vstack(downs))
    found = {str(k): _products(down, torch.from_numpy(x)) for k, x in enumerate(xs)}
    return {"down": down, "ranks": torch.tensor([len(one) for one in downs]), **found}


@pytest.mark.parametrize("ridge", [1e-4, 1.0])
@pytest.mark.parametrize("shape", [(8, 30), (4, 3, 3, 3)])
def test_ssr_routes_as_the_paper_says(shape: tuple[int, ...], ridge: float) -> None:
    ranks, width = (2, 3), int(np.prod(shape[1:]))
    deltas = [
        (draw(1, (shape[0], r), 1)[0] @ draw(1, (r, width), 2)[0]).reshape(shape) for r in ranks
    ]
    pairs = [factors(delta, rank) for delta, rank in zip(deltas, ranks, strict=True)]
    xs = [inputs(width, seed) for seed in range(2)]
    down = np.vstack([a for _, a in pairs])
    g, q, start = 0.0, [], 0
    for rank, x in zip(ranks, xs, strict=True):
        z = down @ x.T
        g = g + z @ z.T
        q.append(z[start : start + rank] @ z.T)
        start += rank
    n = 2 * COUNT
    router = np.vstack(q) / n @ np.linalg.inv(g / n + ridge * np.eye(len(down)))
    wanted = np.hstack([b for b, _ in pairs]) @ router @ down
    stat = signals([a for _, a in pairs], xs)
    close(body("ssr_merge", deltas, stat, ridge=ridge), wanted.reshape(shape), 1e-6)


def test_ssr_without_a_ridge_is_each_models_output_on_its_own_inputs() -> None:
    """Two models whose inputs do not meet: each keeps all that it does."""
    first, second = draw(2, (6, 8))
    xs = [inputs(8, seed) for seed in range(2)]
    xs[0][:, 4:], xs[1][:, :4] = 0, 0
    stat = signals([factors(one, 6)[1] for one in (first, second)], xs)
    merged = body("ssr_merge", [first, second], stat, ridge=1e-12)
    for delta, x in ((first, xs[0]), (second, xs[1])):
        close(merged @ x.T, delta @ x.T, 1e-4)


def test_ssr_passes_through_what_one_model_alone_changes() -> None:
    delta = draw(1, (6, 8))[0]
    stack = [delta, np.zeros_like(delta)]
    close(body("ssr_merge", stack, {}, weight=(0.5, 1.0)), 0.5 * delta, 1e-9)
