"""K-LoRA without its schedule: Ouyang et al., 2025."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from torch import Tensor

from methods.spectral import Matrix, close, draw, merge


def learned(seed: int) -> dict[str, Matrix]:
    base, model = tiny.canonical(tiny.words(0)), tiny.canonical(tiny.words(seed))
    specs = tiny.planned(recipe(1.0)).sources[0].specs
    found: dict[str, Matrix] = {}
    for key, start in base.items():
        delta = model[key].float() - start.float()
        found[key] = delta.double().numpy().reshape(specs[key].shape)
    return found


def recipe(style: float) -> tiny.Data:
    models = [{"model": str(tiny.words(seed)), "name": f"m{seed}"} for seed in (1, 2)]
    return {
        "merge_method": "k_lora",
        "base_model": str(tiny.words(0)),
        "models": [models[0] | {"parameters": {"weight": 0.5}}, models[1]],
        "parameters": {"style": style},
        "dtype": "float32",
    }


def flat(tensor: Tensor) -> Matrix:
    return tensor.double().numpy().reshape(-1)


def stand_out(delta: Matrix, count: int) -> float:
    return float(np.sort(np.abs(delta).reshape(-1))[::-1][:count].sum())


@pytest.mark.parametrize("style", [1.0, 1.25])
def test_each_layer_is_taken_whole_from_the_one_that_stands_out(style: float) -> None:
    content, other = learned(1), learned(2)
    layers = [key for key, delta in content.items() if delta.ndim > 1]
    ratios = np.array([np.abs(content[key]).sum() / np.abs(other[key]).sum() for key in layers])
    gamma = ratios[ratios < 3 * ratios.mean()].mean()
    merged, base = tiny.merged(recipe(style)), tiny.canonical(tiny.words(0))
    chosen: set[str] = set()
    for key, first in content.items():
        second = other[key]
        wanted = 0.5 * first + second
        if first.ndim > 1:
            ranks = [np.linalg.matrix_rank(one, tol=1e-6) for one in (first, second)]
            count = min(first.size, int(np.prod(ranks)))
            own = stand_out(first, count) / gamma > style * stand_out(second, count)
            wanted = 0.5 * first if own else second
            chosen.add("content" if own else "style")
        found = flat(merged[key]) - flat(base[key])
        np.testing.assert_allclose(found, wanted.reshape(-1), atol=1e-6)
    assert chosen == ({"content", "style"} if style == 1.0 else {"style"})


def test_a_layer_that_one_alone_changes_is_taken_from_it() -> None:
    first, second = draw(2, (8, 6))
    none = np.zeros_like(first)
    close(merge("k_lora", [first, none], weight=(0.5, 2.0)), 0.5 * first)
    close(merge("k_lora", [none, second], weight=(0.5, 2.0), style=0.0), 2 * second)
