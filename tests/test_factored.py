"""Merging by factors: against the same merge made number by number, in float64."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from sdmerge.engine import Engine
from sdmerge.lowrank import Factors, dense
from sdmerge.methods import METHODS
from sdmerge.params import Scalar
from sdmerge.plan.tasks import Combine, Node, Read
from sdmerge.testing.bench import Bench, Memory, noise

SHAPE, KEY = (24, 5, 3, 3), "unet.conv_in.weight"
BASE = Read(0)


def lora(rank: int, seed: int, scale: float = 0.5) -> Memory:
    factors = Factors(noise((24, rank), seed), noise((rank, 45), seed + 50), scale)
    return Memory(dense(factors).reshape(SHAPE), factors)


SOURCES = [
    Memory(noise(SHAPE, 9)),
    lora(3, 1),
    lora(2, 2, 1.5),
    lora(4, 3),
    Memory(noise(SHAPE, 8)),
]


def engine() -> Engine:
    return Engine(SOURCES, ["base", "a", "b", "c", "checkpoint"], METHODS)


def node(
    name: str, inputs: Sequence[Node | None], base: Node | None, **given: Scalar | tuple[float, ...]
) -> Combine:
    spec = METHODS[name].spec
    space = spec.space_with(base=base is not None)
    values: Mapping[str, Scalar | tuple[float, ...]] = {k.rstrip("_"): v for k, v in given.items()}
    full = Bench(METHODS[name]).values(values, len(inputs))
    return Combine(name, 1, space, tuple(inputs), tuple("abcd"[: len(inputs)]), base, full, None)


def exact(change: Factors | None) -> Tensor:
    assert change is not None
    return (change.scale * change.up.double() @ change.down.double()).reshape(SHAPE)


A, B, C = (exact(one.low) for one in SOURCES[1:4])
LORAS = [Read(place, "delta") for place in (1, 2, 3)]


def test_a_sum_keeps_every_rank() -> None:
    merge = node("task_arithmetic", LORAS, BASE, weight=(0.5, -1.0, 2.0), lambda_=0.5)
    found = engine().factors(merge, BASE, KEY, SHAPE)
    torch.testing.assert_close(exact(found), 0.5 * (0.5 * A - B + 2 * C), rtol=0, atol=1e-12)
    assert found is not None
    assert found.rank == 3 + 2 + 4


@pytest.mark.parametrize(
    ("name", "values", "shares"),
    [
        ("linear", {"weight": (1.0, 3.0)}, (0.25, 0.75)),
        ("linear", {"weight": (0.5, 0.5), "normalize": False}, (0.5, 0.5)),
        ("weighted_sum", {"alpha": 0.25}, (0.75, 0.25)),
    ],
)
def test_a_mean_of_weights_is_the_mean_of_changes(
    name: str, values: Mapping[str, Scalar | tuple[float, ...]], shares: tuple[float, float]
) -> None:
    merge = node(name, LORAS[:2], BASE, **values)
    wanted = shares[0] * A + shares[1] * B
    torch.testing.assert_close(
        exact(engine().factors(merge, BASE, KEY, SHAPE)), wanted, rtol=0, atol=1e-6
    )
    with_base = node(name, [BASE, LORAS[1]], BASE, **values)
    found = exact(engine().factors(with_base, BASE, KEY, SHAPE))
    torch.testing.assert_close(found, shares[1] * B, rtol=0, atol=1e-6)


def test_stages_add_up() -> None:
    first = node("task_arithmetic", LORAS[:2], BASE)
    second = node("task_arithmetic", [LORAS[2]], first, weight=(0.5,))
    wanted = A + B + 0.5 * C
    found = engine().factors(second, BASE, KEY, SHAPE)
    torch.testing.assert_close(exact(found), wanted, rtol=0, atol=1e-12)
    mixed = node("warp", [first, LORAS[2]], BASE, t=0.0)
    found = engine().factors(mixed, BASE, KEY, SHAPE)
    torch.testing.assert_close(exact(found), A + B, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "merge",
    [
        node("task_arithmetic", [LORAS[0], Read(4)], BASE),
        node("ties", LORAS, BASE),
        node("model_stock", LORAS, BASE, filter_wise=True),
        node("linear", LORAS[:2], BASE, weight=(1.0, 1.0), normalize=False),
        node("slerp", LORAS[:2], BASE),
        node("task_arithmetic", LORAS, Read(4)),
    ],
)
def test_what_is_of_no_low_rank_is_not_made_up(merge: Combine) -> None:
    assert engine().factors(merge, BASE, KEY, SHAPE) is None


def test_what_changes_nothing_has_rank_0() -> None:
    for merge in (node("warp", [None, None], BASE), node("linear", [None, BASE], BASE), BASE):
        found = engine().factors(merge, BASE, KEY, SHAPE)
        assert found is not None
        assert found.rank == 0


@pytest.mark.parametrize("name", ["task_arithmetic", "ties", "linear", "slerp"])
def test_differences_number_by_number(name: str) -> None:
    for inputs in ([LORAS[0], LORAS[1]], [LORAS[0], Read(4)], [LORAS[0], None]):
        merge = node(name, inputs, BASE)
        found = engine().difference(merge, BASE, KEY, SHAPE)
        wanted = engine().tensor(merge, KEY, SHAPE) - SOURCES[0].tensor
        torch.testing.assert_close(found, wanted, rtol=0, atol=2e-6)


def test_a_difference_of_changes_never_reads_the_base() -> None:
    class Unread(Memory):
        def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
            raise AssertionError(f"{key} was read")

    sources = [Unread(SOURCES[0].tensor), *SOURCES[1:]]
    reader = Engine(sources, ["base", "a", "b", "c", "checkpoint"], METHODS)
    for name, by_factors in itertools.product(("ties", "task_arithmetic"), (False, True)):
        merge = node(name, LORAS, BASE)
        if by_factors:
            reader.factors(merge, BASE, KEY, SHAPE)
        else:
            reader.difference(merge, BASE, KEY, SHAPE)
