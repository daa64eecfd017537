"""Small tensors merged side by side: each as if it were alone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from sdmerge.engine import Engine
from sdmerge.errors import InputError
from sdmerge.methods import METHODS
from sdmerge.plan.tasks import Combine, Node, Read, Task
from sdmerge.tensors.spec import TensorSpec

LINEAR = Combine(
    "linear", 1, "weight", (Read(0), Read(1)), ("a", "b"), None,
    (("weight", (1.0, 1.0)), ("normalize", True)), None,
)  # fmt: skip
TIES = Combine(
    "ties", 1, "delta", (Read(0), Read(1)), ("a", "b"), Read(2),
    (("weight", (1.0, 0.5)), ("density", (0.5, 0.3)), ("lambda", 1.0), ("normalize", True),
     ("vote", "after"), ("trim", "tensor")), None,
)  # fmt: skip
NAMES = ["a.safetensors", "b.safetensors", "base.safetensors"]


@dataclass(frozen=True)
class Model:
    """Tensors by key, as a source reads them."""

    tensors: Mapping[str, Tensor]

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        return self.tensors[key].reshape(-1)[start:stop]


def models(spoilt: tuple[int, str, float] | None = None) -> list[Model]:
    """Two models and their base, of tensors of every rank, and one of nothing at all."""
    dice = torch.Generator().manual_seed(3)
    shapes = {"matrix": (9, 7), "bias": (9,), "scalar": (), "filter": (4, 3, 3, 3),
              "none": (0, 4), "gain": (9,)}  # fmt: skip
    found = [
        {key: torch.randn(shape, generator=dice) for key, shape in shapes.items()} for _ in NAMES
    ]
    if spoilt is not None:
        place, key, value = spoilt
        found[place][key].view(-1)[-1] = value
    return [Model(tensors) for tensors in found]


def tasks(node: Node, *, dtype: str = "F32", seed: int | None = None) -> list[Task]:
    shapes = {key: tuple(tensor.shape) for key, tensor in models()[0].tensors.items()}
    return [Task(key, TensorSpec(dtype, shape), node, seed) for key, shape in shapes.items()]


def test_each_gets_what_it_gets_alone() -> None:
    """Merges of two methods, stages, dtypes and copies, mixed up; the order stays."""
    nested = replace(LINEAR, inputs=(TIES, Read(1)))
    chance = replace(TIES, method="dare_ties", seed=4, values=TIES.values[:-1])
    kinds = [
        tasks(LINEAR), tasks(TIES, dtype="BF16"), tasks(TIES, dtype="F16", seed=1),
        tasks(nested), tasks(chance), tasks(Read(0), dtype="F16"),
    ]  # fmt: skip
    engine = Engine(models(), NAMES, METHODS)
    for first, second in itertools.pairwise(kinds):
        # a merge holds each key once
        mixed = [one for pair in zip(first[::2], second[1::2], strict=True) for one in pair]
        alone = [engine.run(task) for task in mixed]
        for mine, wanted in zip(engine.run_all(mixed), alone, strict=True):
            assert mine.dtype == wanted.dtype
            assert torch.equal(mine, wanted)


@pytest.mark.parametrize("node", [LINEAR, TIES])
@pytest.mark.parametrize("key", ["matrix", "bias", "scalar"])
def test_the_damaged_tensor_is_named(node: Node, key: str) -> None:
    engine = Engine(models((1, key, float("nan"))), NAMES, METHODS)
    with pytest.raises(InputError, match=rf"^b\.safetensors: '{key}' holds NaN"):
        engine.run_all(tasks(node))


def test_the_tensor_that_a_dtype_cannot_hold_is_named() -> None:
    engine = Engine(models((0, "bias", 1e6)), NAMES, METHODS)
    with pytest.raises(InputError, match=r"'bias' reaches .*; float16 ends at 65504"):
        engine.run_all(tasks(LINEAR, dtype="F16"))


def test_large_numbers_are_no_damage() -> None:
    """Their sum is infinite, and they are not."""
    far = models((0, "matrix", 3e38))
    far[0].tensors["matrix"][0, 0] = 3e38
    found = Engine(far, NAMES, METHODS).run_all(tasks(LINEAR))
    assert all(torch.isfinite(one).all() for one in found)
