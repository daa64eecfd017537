"""The k-th magnitude over several tensors, against a sort of them all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sdmerge.method import LEAF, Whole
from sdmerge.selection import kth_magnitudes


class InMemory:
    """Tensors by key, one per model."""

    def __init__(self, tensors: Mapping[str, list[Tensor]]) -> None:
        self._tensors = tensors
        self.names = tuple("ab")
        self.shapes = {key: tuple(rows[0].shape) for key, rows in tensors.items()}

    def whole(self, key: str) -> Whole:
        rows = [row.reshape(-1) for row in self._tensors[key]]
        return Whole([lambda i, j, row=row: row[i:j] for row in rows], rows[0].numel())

    def report(self, done: float) -> None:
        assert 0 <= done <= 1


def by_sorting(tensors: list[Tensor], count: int) -> float:
    every = np.sort(np.concatenate([np.abs(tensor.reshape(-1).numpy()) for tensor in tensors]))
    if count <= 0:
        return float("inf")
    return 0.0 if count >= every.size else float(every[every.size - count])


floats = st.floats(-4, 4, width=32) | st.sampled_from([0.0, -0.0, 1e-45, 1e-38, 3e38, 1.0, -1.0])
rows = st.lists(floats, min_size=1, max_size=30)


@given(rows, rows, st.integers(0, 70), st.integers(0, 70))
def test_it_is_what_a_sort_finds(one: list[float], two: list[float], k: int, m: int) -> None:
    tensors = {
        "x": [torch.tensor(one), torch.tensor(one[::-1])],
        "y": [torch.tensor(two), 2.0 * torch.tensor([0.25 * entry for entry in two])],
    }
    found = kth_magnitudes(InMemory(tensors), dict.fromkeys("xy", "all"), lambda _: (k, m))  # pyright: ignore
    wanted = [by_sorting([tensors["x"][i], tensors["y"][i]], n) for i, n in ((0, k), (1, m))]
    assert found == {"all": wanted}


def test_groups_are_apart_and_tensors_may_be_large() -> None:
    torch.manual_seed(0)
    tensors = {
        key: [scale * torch.randn(LEAF + 77), torch.randn(LEAF + 77).half().float()]
        for key, scale in (("x", 1.0), ("y", 5.0), ("z", 1e-6))
    }
    groups = {"x": "one", "y": "one", "z": "other"}
    found = kth_magnitudes(InMemory(tensors), groups, lambda size: (size // 5, size // 2))  # pyright: ignore
    for group, keys in (("one", "xy"), ("other", "z")):
        size = len(keys) * (LEAF + 77)
        wanted = [
            by_sorting([tensors[key][i] for key in keys], size // share)
            for i, share in ((0, 5), (1, 2))
        ]
        assert found[group] == wanted
