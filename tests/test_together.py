"""Statistics of several tensors as one: the k-th magnitude against a sort of them all, and sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sdmerge.together import Scope, together
from sdmerge.whole import LEAF, Whole


class InMemory:
    """Tensors by key, one per model."""

    def __init__(self, tensors: Mapping[str, list[Tensor]]) -> None:
        self._tensors = tensors
        self.names = tuple("ab")
        self.done: list[float] = []
        self.shapes = {key: tuple(rows[0].shape) for key, rows in tensors.items()}

    def whole(self, key: str) -> Whole:
        rows = [row.reshape(-1) for row in self._tensors[key]]
        return Whole([lambda i, j, row=row: row[i:j] for row in rows], rows[0].numel())

    def block(self, key: str) -> str:
        return key.partition(".")[0]

    def report(self, done: float) -> None:
        self.done.append(done)


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
    found = dict(cuts(InMemory(tensors), "model", lambda _: (k, m)))
    wanted = [by_sorting([tensors["x"][i], tensors["y"][i]], n) for i, n in ((0, k), (1, m))]
    assert found == {"x": wanted, "y": wanted}


def cuts(
    models: InMemory, scope: Scope, counts: Callable[[int], tuple[int, int]]
) -> Iterator[tuple[str, list[float]]]:
    def survey(whole: Whole) -> Tensor:
        return whole.kth_magnitudes([[count] for count in counts(whole.numel)])

    for key, found in together(models, scope, survey, passes=2):  # pyright: ignore
        assert isinstance(found, Tensor)
        yield key, found.flatten().tolist()


def test_groups_are_apart_and_tensors_may_be_large() -> None:
    torch.manual_seed(0)
    tensors = {
        key: [scale * torch.randn(LEAF + 77), torch.randn(LEAF + 77).half().float()]
        for key, scale in (("one.x", 1.0), ("one.y", 5.0), ("other.z", 1e-6))
    }
    models = InMemory(tensors)
    found = dict(cuts(models, "block", lambda size: (size // 5, size // 2)))
    for block in ("one", "other"):
        keys = [key for key in tensors if key.startswith(block)]
        size = len(keys) * (LEAF + 77)
        wanted = [
            by_sorting([tensors[key][i] for key in keys], size // share)
            for i, share in ((0, 5), (1, 2))
        ]
        assert [found[key] for key in keys] == [wanted] * len(keys)
    assert models.done == sorted(models.done)
    assert models.done[-1] == 1.0


def test_inner_products_add_up() -> None:
    torch.manual_seed(0)
    tensors = {key: [torch.randn(99), torch.randn(99)] for key in ("b.x", "b.y")}
    flat = torch.cat([torch.stack(rows).double() for rows in tensors.values()], dim=1)
    found = together(
        InMemory(tensors),  # pyright: ignore
        "block",
        lambda whole: torch.as_tensor(whole.gram()),
    )
    for _, products in found:
        torch.testing.assert_close(products, flat @ flat.T)
