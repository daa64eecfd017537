"""NP-LoRA: ΔW = ΔW_b + ΔW_a (I - μ/(1+μ)·VVᵀ), with numpy's own bases."""

from __future__ import annotations

import numpy as np
import pytest

from methods.spectral import SHAPES, Matrix, close, draw, merge, svd


def low_rank(shape: tuple[int, ...], rank: int, seed: int) -> Matrix:
    rows, width = shape[0], int(np.prod(shape[1:]))
    up, down = draw(1, (rows, rank), seed)[0], draw(1, (rank, width), seed + 1)[0]
    return (up @ down).reshape(shape).astype(np.float32).astype(float)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mu", [0.0, 0.5, 100.0])
def test_content_gives_way_in_the_row_space_of_the_style(shape: tuple[int, ...], mu: float) -> None:
    content, style = draw(1, shape)[0], low_rank(shape, 3, 5)
    rows = style.reshape(shape[0], -1)
    q, _ = np.linalg.qr(rows[:3].T)  # three rows of a matrix of rank 3 span its row space
    a = 0.8 * content.reshape(shape[0], -1)
    wanted = 0.5 * rows + a - mu / (1 + mu) * a @ q @ q.T
    found = merge("np_lora", [content, style], weight=(0.8, 0.5), mu=mu)
    close(found, wanted.reshape(shape))


def test_a_share_of_the_energy_protects_the_strongest_directions() -> None:
    content, style = draw(2, (9, 7))
    _, values, right = svd(style)
    shares = np.cumsum(values**2) / np.sum(values**2)
    count = int(np.searchsorted(shares, 0.7)) + 1
    kept = right[:count]
    assert 0 < count < 7
    wanted = style + content - 0.5 / 1.5 * content @ kept.T @ kept
    close(merge("np_lora", [content, style], energy=0.7), wanted)
    close(merge("np_lora", [content, style], energy=1.0), style + content / 1.5)
    close(merge("np_lora", [content, style], energy=0.0), style + content)


def test_a_vector_has_no_row_space() -> None:
    content, style = draw(2, (7,))
    close(merge("np_lora", [content, style], mu=100.0), content + style)
