"""Merges from files to tensors: the numbers, the dtypes, the order, progress and stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import Data, canonical, cli, edited, load, merged, planned, recipe, same, save, words
from torch import Tensor

from sdmerge.errors import Cancelled
from sdmerge.merge import Progress, run, stream
from sdmerge.sinks import DictSink, FileSink

Arrays = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def inputs() -> tuple[Arrays, Arrays, Arrays]:
    """The base and two fine-tunes of it, in float64."""
    found = [canonical(words(seed)) for seed in (0, 1, 2)]
    base, one, two = ({key: t.double().numpy() for key, t in each.items()} for each in found)
    return base, one, two


def recipe_of(method: str, base: bool = False, **parameters: object) -> Data:
    """A recipe of the fine-tunes a and b."""
    models = [{"model": str(words(1)), "name": "a"}, {"model": str(words(2)), "name": "b"}]
    found: Data = {"merge_method": method, "models": models, "parameters": parameters}
    return {**found, "base_model": str(words(0))} if base else found


def agrees(result: Mapping[str, Tensor], expected: Callable[[str], np.ndarray]) -> None:
    """Every float16 number is the expected one, rounded, with a hair for float32 on the way."""
    assert len(result) == 36
    for key, tensor in result.items():
        wanted = expected(key)
        got = tensor.double().numpy().reshape(-1)
        step = np.spacing(np.abs(wanted).astype(np.float16)).astype(np.float64)
        assert np.all(np.abs(got - wanted) <= 0.501 * step), key


def test_linear(inputs: tuple[Arrays, Arrays, Arrays]) -> None:
    _, a, b = inputs
    data = recipe_of("linear")
    data["models"][0]["parameters"] = {"weight": 2}
    agrees(merged(data), lambda key: (2 * a[key] + b[key]) / 3)


def test_task_arithmetic(inputs: tuple[Arrays, Arrays, Arrays]) -> None:
    base, a, b = inputs
    data = recipe_of("task_arithmetic", base=True, **{"lambda": 0.5})
    data["models"][1]["parameters"] = {"weight": -1.5}
    agrees(
        merged(data),
        lambda key: base[key] + 0.5 * ((a[key] - base[key]) - 1.5 * (b[key] - base[key])),
    )


def test_slerp(inputs: tuple[Arrays, Arrays, Arrays]) -> None:
    _, a, b = inputs

    def on_the_arc(key: str) -> np.ndarray:
        na, nb = np.linalg.norm(a[key]), np.linalg.norm(b[key])
        if na * nb == 0:
            return 0.7 * a[key] + 0.3 * b[key]
        angle = np.arccos(a[key] @ b[key] / (na * nb))
        mixed = np.sin(0.7 * angle) * a[key] / na + np.sin(0.3 * angle) * b[key] / nb
        return mixed / np.sin(angle) * (0.7 * na + 0.3 * nb)

    agrees(merged(recipe_of("slerp", t=0.3)), on_the_arc)


def test_ties(inputs: tuple[Arrays, Arrays, Arrays]) -> None:
    base, a, b = inputs

    def elected(key: str) -> np.ndarray:
        kept = []
        for model in (a, b):
            delta = model[key] - base[key]
            count = int(np.ceil(0.3 * delta.size))
            kept.append(np.where(np.abs(delta) >= np.sort(np.abs(delta))[-count], delta, 0.0))
        both = np.stack(kept)
        sign = np.sign(both.sum(0))
        agree = (np.sign(both) == sign) & (sign != 0)
        count = np.maximum(agree.sum(0), 1)
        return base[key] + np.where(agree, both, 0.0).sum(0) / count

    agrees(merged(recipe_of("ties", base=True, density=0.3)), elected)


def test_dare_keeps_the_share_it_is_told(inputs: tuple[Arrays, Arrays, Arrays]) -> None:
    base, a, _ = inputs
    data = recipe_of("dare_linear", base=True, density=0.25)
    del data["models"][1]
    key = "text_encoder.embeddings.token_embedding.weight"
    result = merged({**data, "dtype": "float32"})[key].double().numpy().reshape(-1)
    delta = a[key] - base[key]
    kept = np.abs(result - base[key]) > 1e-9
    assert kept[delta != 0].mean() == pytest.approx(0.25, abs=0.01)
    assert result[kept] == pytest.approx((base[key] + 4 * delta)[kept], abs=1e-6)


# dtypes


@pytest.mark.parametrize(
    ("word", "dtype"),
    [
        ("float16", torch.float16),
        ("bfloat16", torch.bfloat16),
        ("float32", torch.float32),
        ("float8_e4m3fn", torch.float8_e4m3fn),
        ("fp8_e5m2", torch.float8_e5m2),
    ],
)
def test_stored_dtype(tmp_path: Path, word: str, dtype: torch.dtype) -> None:
    """Arithmetic is float32 whatever is stored: rounding happens once, at the end."""
    exact = merged({**recipe_of("linear"), "dtype": "float32"})
    out = tmp_path / "x.safetensors"
    said = cli("merge", words(1), words(2), "--method", "linear", "--dtype", word, "-o", out)
    assert said.code == 0, said.err
    assert {tensor.dtype for tensor in load(out).values()} == {dtype}
    assert same(canonical(out), {key: tensor.to(dtype) for key, tensor in exact.items()})


def test_out_dtype_wins() -> None:
    data = {**recipe_of("linear"), "dtype": "float32", "out_dtype": "bfloat16"}
    assert {task.spec.dtype for task in planned(data).tasks} == {"BF16"}


def test_each_tensor_keeps_the_dtype_of_the_base(tmp_path: Path) -> None:
    """Also where the base mixes them, and whatever the others are."""
    norm = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
    base = edited(words(0), tmp_path / "m.safetensors", **{norm: load(words(0))[norm].float()})
    data = {**recipe_of("task_arithmetic"), "base_model": str(base)}
    data["models"][1]["model"] = str(words(2, dtype="bfloat16"))
    result = merged(data)
    norms = [key for key, tensor in result.items() if tensor.dtype == torch.float32]
    assert norms == ["text_encoder.final_layer_norm.weight"]
    assert {tensor.dtype for key, tensor in result.items() if key not in norms} == {torch.float16}


def test_whole_numbers_are_copied_and_counted(tmp_path: Path) -> None:
    steps = torch.arange(5)
    files = [
        save(tmp_path / f"{n}.safetensors", {"w": torch.ones(3) * n, "steps": steps + n})
        for n in (1, 3)
    ]
    data = {"merge_method": "linear", "models": [{"model": str(file)} for file in files]}
    plan = planned({**data, "dtype": "bfloat16"})
    assert (plan.report.merged, plan.report.copied) == (1, 1)
    result = merged(plan)
    assert result["w"].tolist() == [2.0, 2.0, 2.0]
    assert result["w"].dtype == torch.bfloat16
    assert torch.equal(result["steps"], steps + 1)


def test_empty_and_scalar_tensors(tmp_path: Path) -> None:
    tensors = {"flag": torch.zeros(0), "scale": torch.tensor(4.0), "w": torch.ones(2, 2)}
    files = [
        save(tmp_path / f"{n}.safetensors", {key: t * n for key, t in tensors.items()})
        for n in (1, 2)
    ]
    for method, value in (("linear", 1.5), ("slerp", 1.5)):
        data = {"merge_method": method, "models": [{"model": str(file)} for file in files]}
        result = merged(data)
        assert result["flag"].shape == (0,)
        assert result["scale"].shape == ()
        assert float(result["scale"]) == pytest.approx(4 * value)


# stages


def test_stages_stay_in_float32(inputs: tuple[Arrays, Arrays, Arrays]) -> None:
    """A float16 in between would round twice; the difference shows in thousands of numbers."""
    base, a, b = inputs
    first = {**recipe_of("linear", weight=1), "name": "half"}
    second = {
        "merge_method": "task_arithmetic",
        "base_model": str(words(0)),
        "models": [{"model": "half", "parameters": {"weight": 0.7}}],
    }
    result = merged([first, second])
    agrees(result, lambda key: base[key] + 0.7 * ((a[key] + b[key]) / 2 - base[key]))


def test_a_stage_as_base(inputs: tuple[Arrays, Arrays, Arrays]) -> None:
    base, a, b = inputs
    first = {**recipe_of("linear"), "name": "half"}
    second = {
        "merge_method": "task_arithmetic",
        "base_model": "half",
        "models": [{"model": str(words(0)), "parameters": {"weight": 0.25}}],
    }
    agrees(
        merged([first, second]),
        lambda key: 0.75 * (a[key] + b[key]) / 2 + 0.25 * base[key],
    )


def test_stages_from_the_command_line(tmp_path: Path) -> None:
    text = f"""
name: both
merge_method: linear
models: [{{model: {words(1)}}}, {{model: {words(2)}}}]
---
name: more
merge_method: slerp
models: [{{model: both}}, {{model: {words(0)}}}]
parameters: {{t: 0.5}}
"""
    out = tmp_path / "x.safetensors"
    path = recipe(tmp_path / "r.yaml", text)
    assert cli("merge", path, "-o", out, "--set", "both.models[1].parameters.weight=0").code == 0
    plain = {"merge_method": "slerp", "models": [{"model": str(words(n))} for n in (1, 0)]}
    assert same(canonical(out), {key: t.reshape(-1) for key, t in merged(plain).items()})
    assert cli("verify", out, "-q").out == "same\n"


# the stream


def test_stream_in_any_order() -> None:
    plan = planned(recipe_of("linear"))
    keys = [task.key for task in plan.tasks]
    some = [keys[7], keys[0], keys[30]]
    found = list(stream(plan, order=some, threads=2))
    assert [task.key for task, _ in found] == some
    everything = merged(plan)
    assert all(torch.equal(flat, everything[task.key].reshape(-1)) for task, flat in found)


def test_progress_ends_at_the_whole() -> None:
    plan = planned(recipe_of("linear"))
    steps: list[Progress] = []
    run(plan, DictSink(), progress=steps.append)
    assert [step.tensors for step in steps] == list(range(1, 37))
    assert [step.key for step in steps] == [task.key for task in plan.tasks]
    assert all(step.written <= step.of_bytes for step in steps)
    assert steps[-1].written == steps[-1].of_bytes == plan.report.write_bytes


@pytest.mark.parametrize("stop", ["event", "keyboard", "bug"])
def test_stopping_leaves_nothing(tmp_path: Path, stop: str) -> None:
    cancel = threading.Event()
    sink = FileSink(tmp_path / "x.safetensors")

    def after_three(done: Progress) -> None:
        if done.tensors < 3:
            return
        if stop == "event":
            cancel.set()
        else:
            raise {"keyboard": KeyboardInterrupt, "bug": ZeroDivisionError}[stop]

    error = {"event": Cancelled, "keyboard": KeyboardInterrupt, "bug": ZeroDivisionError}[stop]
    with pytest.raises(error):
        run(planned(recipe_of("linear")), sink, progress=after_three, cancel=cancel)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() < 20


def test_a_merge_leaves_torch_as_it_was() -> None:
    before = torch.get_num_threads()
    merged(recipe_of("linear"), threads=3)
    assert torch.get_num_threads() == before
