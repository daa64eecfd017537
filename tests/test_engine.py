"""The engine: what it refuses, how it rounds, and how stages nest."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sdmerge.engine import Engine, slabs
from sdmerge.errors import InputError, SdmergeError
from sdmerge.manifest import Unit
from sdmerge.method import Registry, Stat, Weight, Weights, method
from sdmerge.methods import METHODS
from sdmerge.plan.tasks import Combine, Node, Read, Task, node_key, reads, task_key
from sdmerge.tensors.spec import TensorSpec
from sdmerge.testing.bench import Bench, Memory
from sdmerge.whole import Whole

KEY = "unet.conv_in.weight"
LINEAR = Combine(
    "linear", 1, "weight", (Read(0), Read(1)), ("a", "b"), None,
    (("weight", (1.0, 1.0)), ("normalize", True)), None,
)  # fmt: skip
ADD = Combine(
    "task_arithmetic", 1, "delta", (Read(0), Read(1)), ("a", "b"), Read(2),
    (("weight", (1.0, 1.0)), ("lambda", 1.0), ("normalize", False)), None,
)  # fmt: skip


def run(node: Node, *tensors: Tensor, dtype: str = "F32", slab: int = 5) -> Tensor:
    names = ["a.safetensors", "b.safetensors", "base.safetensors"]
    engine = Engine([Memory(tensor) for tensor in tensors], names, METHODS, slab)
    return engine.run(Task(KEY, TensorSpec(dtype, tuple(tensors[0].shape)), node))


def spoiled(value: float, place: int = 11) -> Tensor:
    tensor = torch.ones(13)
    tensor[place] = value
    return tensor


ONES = torch.ones(13)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", range(3))
def test_the_damaged_file_is_named(value: float, place: int) -> None:
    tensors = [ONES, ONES, ONES]
    tensors[place] = spoiled(value)
    name = ["a", "b", "base"][place]
    with pytest.raises(InputError, match=rf"^{name}\.safetensors: '{KEY}' holds NaN or infinite"):
        run(ADD, *tensors)


def test_a_damaged_base_is_found_under_loras() -> None:
    """A delta says nothing of its base, so the base itself has to be looked at."""
    loras = replace(ADD, inputs=(Read(0, "delta"), None))
    with pytest.raises(InputError, match=r"^base\.safetensors: "):
        run(loras, ONES, ONES, spoiled(float("nan")))


def test_what_a_method_would_drop_is_still_looked_at() -> None:
    """TIES compares with NaN, which is false: the entry would silently count as small."""
    values = (("weight", (1.0, 1.0)), ("density", (0.2, 0.2)), ("lambda", 1.0),
              ("normalize", True), ("vote", "after"))  # fmt: skip
    with pytest.raises(InputError, match=r"^b\.safetensors"):
        run(replace(ADD, method="ties", values=values), ONES, spoiled(float("nan")), ONES)


@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_a_damaged_tensor_is_neither_copied_nor_rounded(dtype: str) -> None:
    with pytest.raises(InputError, match=r"^a\.safetensors"):
        run(Read(0), spoiled(float("inf")), dtype=dtype)


def test_a_tensor_that_is_only_copied_keeps_its_bytes() -> None:
    stored = torch.tensor([1.0, -0.0, 65504.0, 3e-8], dtype=torch.float16)
    copied = run(Read(0), stored, dtype="F16")
    assert torch.equal(copied.view(torch.int16), stored.view(torch.int16))


def test_what_no_component_takes_may_be_anything() -> None:
    task = Task("extra.mask", TensorSpec("F32", (13,)), Read(0))
    mask = spoiled(float("-inf"))
    assert torch.equal(Engine([Memory(mask)], ["a"], METHODS).run(task), mask)


@pytest.mark.parametrize(
    ("dtype", "largest", "beyond"),
    [
        ("F16", 65519.9, 65520.0), ("BF16", 3.39e38, 3.401e38), ("F8_E4M3", 461.0, 465.0),
        ("F8_E5M2", 60900.0, 61441.0),
    ],
)  # fmt: skip
def test_what_a_dtype_cannot_hold_is_an_error(dtype: str, largest: float, beyond: float) -> None:
    alone = replace(
        LINEAR, inputs=(Read(0),), names=("a",), values=(("weight", (1.0,)), ("normalize", True))
    )
    held = run(alone, largest * ONES, dtype=dtype).float()
    assert torch.isfinite(held).all()
    assert held[0] > 0.9 * largest
    for sign in (1, -1):
        with pytest.raises(InputError, match=rf"'{KEY}' reaches .*; \w+ ends at"):
            run(alone, sign * beyond * ONES, dtype=dtype)


def test_float32_overflow_is_an_error_too() -> None:
    far = replace(LINEAR, values=(("weight", (4.0, 4.0)), ("normalize", False)))
    with pytest.raises(InputError, match=r"reaches inf; float32 ends at 3\.4"):
        run(far, 3e38 * ONES, 3e38 * ONES)


def test_rounding_is_to_the_nearest() -> None:
    exact = torch.linspace(-2, 2, 13, dtype=torch.float64)
    for dtype, code in ((torch.float16, "F16"), (torch.bfloat16, "BF16")):
        assert torch.equal(run(LINEAR, exact, exact, dtype=code), exact.float().to(dtype))


@pytest.mark.parametrize(
    ("unit", "shape", "wanted"),
    [
        ("element", (3, 4), [(0, 5, (5,)), (5, 10, (5,)), (10, 12, (2,))]),
        ("element", (), [(0, 1, (1,))]),
        ("row", (5, 1, 2), [(0, 4, (2, 2)), (4, 8, (2, 2)), (8, 10, (1, 2))]),
        ("row", (2, 9), [(0, 9, (1, 9)), (9, 18, (1, 9))]),  # a row is never cut
        ("row", (7,), [(0, 7, (1, 7))]),
        ("row", (), [(0, 1, (1, 1))]),
        ("tensor", (2, 9), [(0, 18, (2, 9))]),
        ("tensor", (), [(0, 1, ())]),
    ],
)
def test_what_a_method_sees_of_a_tensor(
    unit: Unit, shape: tuple[int, ...], wanted: list[object]
) -> None:
    assert list(slabs(unit, shape, 5)) == wanted


@pytest.mark.parametrize("unit", ["element", "row", "tensor"])
def test_tensors_without_entries_are_left_alone(unit: Unit) -> None:
    def refuses(whole: Whole) -> None:
        raise AssertionError

    registry = Registry()

    @method(title="None", paper="https://e.org", unit=unit, stats=refuses, registry=registry)
    def never(weights: Weights, stat: Stat) -> Weight:
        """Nothing to merge."""
        raise AssertionError

    assert Bench(registry["never"]).merge([torch.empty(3, 0)] * 2).shape == (3, 0)


def test_a_missing_key_of_a_lora_is_no_change() -> None:
    alone = replace(ADD, inputs=(Read(0), None))
    assert torch.equal(run(alone, 2 * ONES, ONES, ONES), 2 * ONES)


def test_a_lora_in_a_mean_stands_for_base_and_delta() -> None:
    mixed = replace(LINEAR, inputs=(Read(0, "delta"), Read(1)), base=Read(2))
    assert torch.equal(run(mixed, 2 * ONES, 5 * ONES, ONES), 4 * ONES)


def test_stages_between_stay_in_float32() -> None:
    """1 + 2⁻¹² is lost in half precision, and must not be on the way."""
    inner = replace(ADD, inputs=(Read(0, "delta"), None))
    outer = replace(LINEAR, inputs=(inner, Read(1)))
    step = torch.full((13,), 2.0**-12)
    merged = run(outer, step, 2 * ONES, ONES)
    assert torch.equal(merged, (3 * ONES + step) / 2)
    with pytest.raises(InputError, match=r"^a\.safetensors"):
        run(outer, spoiled(float("nan")), ONES, ONES)


def test_empty_tensors() -> None:
    for node in (LINEAR, ADD):
        assert run(node, *[torch.ones(0, 3)] * 3).shape == (0,)


def test_a_body_that_changes_the_shape_is_a_bug() -> None:
    registry = Registry()

    @method(title="Mean", paper="https://example.org", registry=registry)
    def mean_of_all(weights: Weights) -> Weight:
        """One number, which torch would silently spread over the tensor."""
        return weights.mean()

    with pytest.raises(SdmergeError, match=r"mean_of_all gives \[\] for \[6\]") as raised:
        Bench(registry["mean_of_all"]).merge([torch.ones(2, 3)])
    assert raised.value.exit_code == 1


def content(source: int, key: str) -> str:
    return f"{source}{key}"


def test_task_keys_tell_apart_what_differs() -> None:
    task = Task(KEY, TensorSpec("F16", (2, 3)), ADD)
    seeded = replace(ADD, seed=0)
    others = [
        replace(task, key="unet.conv_out.weight"),
        replace(task, spec=TensorSpec("F32", (2, 3))),
        replace(task, spec=TensorSpec("F16", (3, 2))),
        *(
            replace(task, node=node)
            for node in (
                Read(0),
                Read(0, "delta"),
                LINEAR,
                replace(ADD, version=2),
                replace(ADD, inputs=(Read(1), Read(0))),
                replace(ADD, inputs=(Read(0), None)),
                replace(ADD, inputs=(Read(0), LINEAR)),
                replace(ADD, base=Read(1)),
                replace(ADD, values=(("weight", (1.0, 0.5)), *ADD.values[1:])),
                seeded,
                replace(seeded, seed=1),
                replace(seeded, names=("a", "c")),
            )
        ),
    ]
    keys = [task_key(one, content) for one in (task, *others)]
    assert len(set(keys)) == len(keys)
    assert task_key(task, lambda source, key: f"other{source}") != keys[0]


def test_task_keys_ignore_what_changes_nothing() -> None:
    """Names and places in the plan do not matter; the content they stand for does."""
    renamed = replace(ADD, names=("x", "y"))
    assert node_key(renamed, KEY, content) == node_key(ADD, KEY, content)
    moved = replace(ADD, inputs=(Read(5), Read(6)), base=Read(7))
    shifted = node_key(moved, KEY, lambda source, key: content(source - 5, key))
    assert shifted == node_key(ADD, KEY, content)


def test_reads_are_found_at_any_depth() -> None:
    nested = replace(ADD, inputs=(LINEAR, None), base=Read(2))
    assert list(reads(nested)) == [Read(0), Read(1), Read(2)]
