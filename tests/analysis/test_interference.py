"""The measures: known values, and a direct computation on small models."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import canonical, copy, model, overwrite, save, words

from sdmerge.analysis import Interference, Measures, comparison, measure
from sdmerge.errors import Cancelled, InputError, PlanError
from sdmerge.families import FAMILIES
from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data

Data = dict[str, Any]


def found_in(data: Data | list[Data], **options: Any) -> Interference:
    return measure(plan(comparison(recipe_from_data(data, "test"))), **options)


def against(base: Path | None, *models: Path, method: str = "task_arithmetic") -> Data:
    named = [{"model": str(path), "name": name} for name, path in zip("abcd", models, strict=False)]
    data: Data = {"merge_method": method, "models": named}
    return data if base is None else {**data, "base_model": str(base)}


def file(path: Path, **tensors: list[float]) -> Path:
    return save(path, {name: torch.tensor(values) for name, values in tensors.items()})


@pytest.fixture
def small(tmp_path: Path) -> list[Path]:
    """A base and two models of no known family: a layer in which they collide, and one alike."""
    one = file(tmp_path / "0.safetensors", **{"h.0.w": [3.0, 0, 4, 0], "h.1.w": [1.0, 1]})
    two = file(tmp_path / "a.safetensors", **{"h.0.w": [4.0, -1, 4, 2], "h.1.w": [3.0, 1]})
    three = file(tmp_path / "b.safetensors", **{"h.0.w": [2.0, -1, 7, 0], "h.1.w": [2.0, 1]})
    return [one, two, three]


def test_known_values(small: list[Path]) -> None:
    found = found_in(against(*small))
    assert (found.names, found.based, list(found.blocks)) == (("a", "b"), True, ["L00", "L01"])
    # a: 1 -1 0 2, b: -1 -1 3 0
    first = found.blocks["L00"]
    assert (first.tensors, first.elements) == (1, 4)
    assert first.conflict == 1 / 2  # the first of the two entries that both move
    assert first.weighted == 2 / 4
    assert first.cancelled == pytest.approx(2 / 9)
    assert first.cosines == (0.0,)
    assert first.norms == pytest.approx((6**0.5, 11**0.5))
    assert first.relative == pytest.approx((6**0.5 / 5, 11**0.5 / 5))
    second = found.blocks["L01"]
    assert (second.conflict, second.weighted, second.cancelled) == (0.0, 0.0, 0.0)
    assert second.cosines == (1.0,)
    assert found.whole.conflict == 1 / 3
    assert found.whole.weighted == pytest.approx(2 / 7)
    assert found.whole.cosines == pytest.approx((2 / (10 * 12) ** 0.5,))


def test_without_a_base_weights_are_compared(small: list[Path]) -> None:
    found = found_in(against(None, *small[1:], method="slerp"))
    first, second = np.array([4.0, -1, 4, 2, 3, 1]), np.array([2.0, -1, 7, 0, 2, 1])
    assert not found.based
    whole = found.whole
    assert (whole.conflict, whole.weighted, whole.cancelled) == (None, None, None)
    assert whole.relative == (None, None)
    assert whole.norms == pytest.approx((np.linalg.norm(first), np.linalg.norm(second)))
    assert whole.cosines == pytest.approx((first @ second / whole.norms[0] / whole.norms[1],))


def direct(base: dict[str, Any], models: list[dict[str, Any]], keys: list[str]) -> Measures:
    """The definitions, entry by entry."""
    deltas = [
        np.concatenate([(one[key].float() - base[key].float()).numpy().ravel() for key in keys])
        for one in models
    ]
    stack = np.array(deltas, dtype=float)
    moved = (stack != 0).sum(axis=0) >= 2
    opposed = (stack.max(axis=0) > 0) & (stack.min(axis=0) < 0)
    size = np.abs(stack).sum(axis=0)
    length = np.linalg.norm(np.concatenate([base[key].double().numpy().ravel() for key in keys]))
    norms = [float(np.linalg.norm(row)) for row in stack]
    return Measures(
        tensors=len(keys),
        elements=stack.shape[1],
        conflict=float((opposed & moved).sum() / moved.sum()),
        weighted=float(size[opposed & moved].sum() / size[moved].sum()),
        cancelled=float(1 - np.abs(stack.sum(axis=0)).sum() / size.sum()),
        cosines=tuple(
            float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
            for a, b in itertools.combinations(stack, 2)
        ),
        norms=tuple(norms),
        relative=tuple(float(norm / length) for norm in norms),
    )


def assert_same(found: Measures, wanted: Measures) -> None:
    assert (found.tensors, found.elements) == (wanted.tensors, wanted.elements)
    for name in ("conflict", "weighted", "cancelled", "norms", "relative"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-6), name
    assert found.cosines == pytest.approx(wanted.cosines, abs=1e-7)


def test_blocks_are_what_their_tensors_say() -> None:
    sd1 = FAMILIES.get("sd1")
    paths = [model("sd1", seed, components=("unet", "text_encoder")) for seed in range(4)]
    found = found_in(against(*paths, method="ties"))
    base, *models = (canonical(path) for path in paths)
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key in base:
        keys["text_encoder" if key.startswith("text_encoder.") else sd1.block(key)].append(key)
    assert list(found.blocks) == ["text_encoder", *sd1.blocks]
    for name, one in found.blocks.items():
        assert_same(one, direct(base, models, keys[name]))
    assert_same(found.whole, direct(base, models, list(base)))
    assert 0.7 < (found.whole.conflict or 0) < 0.8  # coins would give 3/4


def test_what_is_taken_whole_is_no_row() -> None:
    """As the VAE is, unless the recipe merges it."""
    paths = [model("sd1", seed, components=("text_encoder", "vae")) for seed in range(3)]
    assert list(found_in(against(*paths)).blocks) == ["text_encoder"]
    told = {**against(*paths), "components": {"vae": {"merge_method": "linear"}}}
    merged = found_in(told)
    assert list(merged.blocks) == ["text_encoder", "vae"]
    base, *others = (canonical(path) for path in paths)
    keys = [key for key in base if key.startswith("vae.")]
    assert_same(merged.blocks["vae"], direct(base, others, keys))


def test_parameters_and_order_do_not_count() -> None:
    data = against(words(0), words(1), words(2))
    wanted = found_in(data)
    told = {**data, "merge_method": "ties", "parameters": {"density": 0.1, "weight": 0.3}}
    told["models"] = [{**data["models"][0], "parameters": {"weight": 0.0}}, data["models"][1]]
    assert found_in(told) == wanted
    turned = found_in({**data, "models": data["models"][::-1]})
    assert turned.names == ("b", "a")
    assert turned.whole.norms == wanted.whole.norms[::-1]


def test_threads_leave_no_trace() -> None:
    data = against(words(0), words(1), words(2))
    assert found_in(data, threads=3) == found_in(data, threads=1)


def test_an_earlier_stage_is_a_model() -> None:
    mean = {**against(None, words(1), words(2), method="linear"), "name": "mean"}
    last = against(words(0), words(3))
    last["models"].append({"model": "mean"})
    found = found_in([mean, last])
    base, one, two, three = (canonical(words(seed)) for seed in range(4))
    middle = {key: (one[key].float() + two[key].float()) / 2 for key in one}
    assert found.names == ("a", "mean")
    assert_same(found.whole, direct(base, [three, middle], list(base)))


def test_the_base_among_the_models_is_the_base() -> None:
    data = against(words(0), words(1), words(2), words(0), method="linear")
    assert found_in(data) == found_in(against(words(0), words(1), words(2)))


def test_equal_models_have_no_angle(tmp_path: Path) -> None:
    twin = copy(words(0), tmp_path / "twin.safetensors")
    found = found_in(against(words(0), words(1), twin))
    assert found.whole.norms[1] == 0
    assert found.whole.cosines == (None,)
    assert (found.whole.conflict, found.whole.cancelled) == (None, 0.0)


def test_nothing_to_compare() -> None:
    taken = {"text_encoder": {"take": "a"}}
    with pytest.raises(PlanError, match="no tensor in which they differ"):
        found_in({**against(words(0), words(1)), "components": taken})


def test_progress_counts_what_is_read() -> None:
    said: list[tuple[int, int]] = []
    found_in(against(words(0), words(1), words(2)), progress=lambda *done: said.append(done))
    size = sum(tensor.nbytes for tensor in canonical(words(0)).values())
    assert said[-1] == (3 * size, 3 * size)
    assert [done for done, _ in said] == sorted({done for done, _ in said})


@pytest.mark.parametrize("stop", ["event", "keyboard"])
def test_it_can_be_stopped(stop: str) -> None:
    cancel = threading.Event()

    def after_one(done: int, total: int) -> None:
        cancel.set()
        if stop == "keyboard":
            raise KeyboardInterrupt

    with pytest.raises(Cancelled if stop == "event" else KeyboardInterrupt):
        found_in(against(words(0), words(1), words(2)), progress=after_one, cancel=cancel)
    assert not any(thread.name.startswith("sdmerge") for thread in threading.enumerate())


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    bad = copy(words(1), tmp_path / "bad.safetensors")
    name = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    overwrite(bad, name, float("nan"))
    with pytest.raises(InputError, match=r"b: 'text_encoder.final_layer_norm.bias' holds NaN"):
        found_in(against(words(0), words(2), bad))
