"""LoRAs among checkpoints: a LoRA counts as the checkpoint it would be baked into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from adapters.lora_files import Pair, random_lora
from tiny import Data, canonical, cli, edited, load, merged, model, planned, words
from torch import Tensor

from sdmerge.errors import FamilyError, PlanError
from sdmerge.families import FAMILIES
from sdmerge.testing import random_specs

SD1 = FAMILIES.get("sd1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loras")


@pytest.fixture(scope="module")
def pairs(folder: Path) -> Mapping[str, Pair]:
    """What the LoRA at `folder` changes, by its formula."""
    specs = random_specs(SD1, scale="tiny", components=("text_encoder",))
    return random_lora(folder / "style.safetensors", SD1, specs, rank=2, alpha=1.0, seed=5)


@pytest.fixture(scope="module")
def base(folder: Path) -> Path:
    """A base in float32, so that baking rounds but little."""
    return edited(words(0), folder / "base.safetensors", **wide(load(words(0))))


@pytest.fixture(scope="module")
def lora(folder: Path, pairs: Mapping[str, Pair]) -> str:
    assert len(pairs) == 12
    return str(folder / "style.safetensors")


@pytest.fixture(scope="module")
def baked(folder: Path, base: Path, pairs: Mapping[str, Pair]) -> str:
    """The base with the LoRA in it, added up in float64."""
    prefix = "cond_stage_model.transformer.text_model."
    tensors = load(base)
    for key, pair in pairs.items():
        name = prefix + key.removeprefix("text_encoder.")
        tensors[name] = (tensors[name].double() + pair.delta()).float()
    return str(edited(base, folder / "baked.safetensors", **tensors))


def wide(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in tensors.items()}


def data(method: str, models: list[str], base: Path, **parameters: object) -> Data:
    listed = [{"model": path, "name": f"m{place}"} for place, path in enumerate(models)]
    return {
        "merge_method": method,
        "base_model": str(base),
        "models": listed,
        "parameters": parameters,
        "seed": 3,
    }


def close(first: Mapping[str, Tensor], second: Mapping[str, Tensor], tolerance: float) -> None:
    assert first.keys() == second.keys()
    for key, tensor in first.items():
        assert torch.allclose(tensor, second[key], rtol=0, atol=tolerance), key


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("task_arithmetic", {"weight": 0.8, "lambda": 1.2}),
        ("linear", {"weight": 1.0}),
        ("dare_linear", {"density": 0.5}),
        ("slerp", {"t": 0.4}),
    ],
)
def test_lora_is_as_good_as_baked(
    base: Path, lora: str, baked: str, method: str, parameters: Data
) -> None:
    others = [] if method == "slerp" else [str(words(1))]
    given = merged(data(method, [lora, *others], base, **parameters))
    expected = merged(data(method, [baked, *others], base, **parameters))
    close(given, expected, 2e-6)
    assert not torch.equal(given[CHANGED], canonical(base)[CHANGED].reshape(given[CHANGED].shape))


CHANGED = "text_encoder.encoder.layers.0.self_attn.q_proj.weight"


def test_lora_is_as_good_as_baked_where_entries_are_trimmed(
    base: Path, lora: str, baked: str
) -> None:
    """Entries next to the cut may fall on either side of it, so a few in a thousand may differ."""
    given = merged(data("ties", [lora, str(words(1))], base, density=0.5))
    expected = merged(data("ties", [baked, str(words(1))], base, density=0.5))
    far = sum(int((given[key] - expected[key]).abs().gt(2e-6).sum()) for key in given)
    assert far <= sum(tensor.numel() for tensor in given.values()) // 1000


def test_formula(base: Path, lora: str, pairs: Mapping[str, Pair]) -> None:
    """Base plus w·alpha/rank·up@down, exactly where the LoRA says, and nowhere else."""
    before = canonical(base)
    result = merged(data("task_arithmetic", [lora], base, weight=0.5))
    for key, tensor in result.items():
        wanted = before[key].double()
        if key in pairs:
            wanted = wanted + 0.5 * pairs[key].delta().reshape(-1)
            assert torch.allclose(tensor.double().reshape(-1), wanted, rtol=0, atol=1e-6), key
        else:
            assert torch.equal(tensor.reshape(-1), before[key]), key


def test_linear_counts_a_lora_as_base_and_change(
    base: Path, lora: str, pairs: Mapping[str, Pair]
) -> None:
    one, before = canonical(words(1)), canonical(base)
    result = merged(data("linear", [lora, str(words(1))], base, weight=1))
    for key, tensor in result.items():
        delta = pairs[key].delta().reshape(-1) if key in pairs else 0.0
        wanted = (before[key].double() + delta + one[key].double()) / 2
        assert torch.allclose(tensor.double().reshape(-1), wanted, rtol=0, atol=1e-6), key


def test_report_says_what_a_lora_leaves_alone(base: Path, lora: str) -> None:
    report = planned(data("task_arithmetic", [lora], base)).report
    assert (report.merged, report.copied) == (12, 24)
    report = planned(data("linear", [lora, str(words(1))], base)).report
    assert (report.merged, report.copied) == (36, 0)


def test_lora_in_a_later_stage(base: Path, lora: str, pairs: Mapping[str, Pair]) -> None:
    """There it is bound to the stage that is its base."""
    first = {**data("linear", [str(words(1)), str(words(2))], base, weight=1), "name": "half"}
    del first["base_model"], first["seed"]
    second = {"merge_method": "task_arithmetic", "base_model": "half", "models": [{"model": lora}]}
    result = merged([first, {**second, "dtype": "float32"}])
    half = merged({**first, "dtype": "float32"})
    delta = pairs[CHANGED].delta().reshape(half[CHANGED].shape)
    assert torch.allclose(result[CHANGED].double(), half[CHANGED].double() + delta, atol=1e-6)


@pytest.mark.parametrize("method", ["linear", "slerp"])
def test_lora_without_a_base(lora: str, method: str) -> None:
    models = [{"model": str(words(1))}, {"model": lora}]
    with pytest.raises(PlanError) as caught:
        planned({"merge_method": method, "models": models})
    assert caught.value.what == "'style' is a LoRA and there is no base_model to add it to"
    assert caught.value.hint == "Name the checkpoint it belongs to under base_model."


def test_lora_as_base(lora: str) -> None:
    with pytest.raises(PlanError, match="base_model is a LoRA"):
        planned(data("task_arithmetic", [str(words(1))], Path(lora)))


def test_nothing_to_take_from_a_lora(base: Path, lora: str) -> None:
    one = data("task_arithmetic", [lora], base)
    with pytest.raises(PlanError, match="'m0' has no text_encoder to take"):
        planned({**one, "components": {"text_encoder": {"take": "m0"}}})


def test_lora_of_another_family(lora: str, tmp_path: Path) -> None:
    other = model("sdxl", 0, components=("unet",))
    with pytest.raises(FamilyError, match="12 of 12 modules are not in Stable Diffusion XL"):
        planned(data("task_arithmetic", [lora], other))


def test_from_the_command_line(base: Path, lora: str, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    arguments = ["merge", words(1), lora, "--method", "ties", "--base", base]
    said = cli(*arguments, "--weight", "0.7,0.4", "--density", "0.5", "-o", out)
    assert said.code == 0, said.err
    assert "modules" not in said.err
    one = data("ties", [str(words(1)), lora], base, density=0.5)
    for entry, weight in zip(one["models"], (0.7, 0.4), strict=True):
        entry["parameters"] = {"weight": weight}
    expected = merged(one)
    assert all(torch.equal(t, expected[key].reshape(-1)) for key, t in canonical(out).items())
    assert cli("verify", out, "-q").out == "same\n"


def test_a_nan_in_a_lora_is_named(base: Path, lora: str, tmp_path: Path) -> None:
    name = next(name for name in load(Path(lora)) if name.endswith("lora_up.weight"))
    bad = edited(Path(lora), tmp_path / "bad.safetensors", **{name: load(Path(lora))[name] * 1e39})
    said = cli("merge", bad, "--method", "ties", "--base", base, "-o", tmp_path / "x.safetensors")
    assert said.code == 2
    assert "bad: 'text_encoder." in said.err
    assert "NaN or infinite" in said.err
