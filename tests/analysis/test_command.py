"""`sdmerge plan --analyse`, as a user runs it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import canonical, cli, copy, overwrite, recipe, words

LINE = f"{words(1)} {words(2)} --base {words(0)} --method ties".split()


def test_the_numbers_as_json() -> None:
    said = cli("plan", *LINE, "--analyse", "--json")
    assert said.code == 0, said.err
    found = said.data["analysis"]
    base, one, two = (canonical(words(seed)) for seed in range(3))
    deltas = [
        np.concatenate([(model[key].float() - base[key].float()).numpy() for key in base])
        for model in (one, two)
    ]
    first, second = (delta.astype(float) for delta in deltas)
    names = [path.stem for path in (words(1), words(2))]
    assert found["models"] == names
    assert found["compared"] == "differences from the base"
    assert list(found["blocks"]) == ["text_encoder"]
    every = found["all"]
    assert every == found["blocks"]["text_encoder"]
    both = (first != 0) & (second != 0)
    assert every["sign_conflict"] == pytest.approx((first * second < 0).sum() / both.sum())
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert every["cosine"] == [{"models": names, "cosine": pytest.approx(cosine, abs=1e-7)}]
    assert every["norm"][names[0]] == pytest.approx(np.linalg.norm(first))
    assert found["suggestion"]["method"] == "task_arithmetic"
    assert "plot" not in found


def test_it_says_so_to_people(tmp_path: Path) -> None:
    said = cli("plan", *LINE, "--analyse")
    assert said.code == 0
    assert "36 tensors merged" in said.out
    assert "cancelled" in said.out
    assert "Thrown coins would give 0.50" in said.out
    assert "suggestion: merge_method: task_arithmetic, weight: 1.0, because" in said.out
    assert "analysing: " in said.err
    assert "analysing" not in cli("plan", *LINE).err
    assert cli("plan", *LINE, "--analyse", "-q").out.count("\n") == 1


def test_a_plot(tmp_path: Path) -> None:
    path = tmp_path / "new" / "heat.png"
    said = cli("plan", *LINE, "--plot", path, "--json")
    assert said.data["analysis"]["plot"] == str(path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    again = cli("plan", *LINE, "--plot", path)
    assert (again.code, "exists already" in again.err) == (2, True)
    assert cli("plan", *LINE, "--plot", path, "--force").code == 0
    jpeg = cli("plan", *LINE, "--plot", tmp_path / "heat.jpg")
    assert (jpeg.code, "written as .png" in jpeg.err) == (2, True)
    assert [item.name for item in path.parent.iterdir()] == ["heat.png"]


def test_a_recipe_without_a_base(tmp_path: Path) -> None:
    text = f"merge_method: slerp\nmodels: [{{model: {words(1)}}}, {{model: {words(2)}}}]\n"
    path = recipe(tmp_path / "r.yaml", f"{text}parameters: {{t: 0.3}}\n")
    found = cli("plan", path, "--analyse", "--json").data["analysis"]
    assert found["compared"] == "weights"
    assert found["suggestion"]["method"] == "linear"
    one, two = (
        np.concatenate([tensor.double().numpy() for tensor in canonical(words(seed)).values()])
        for seed in (1, 2)
    )
    assert found["all"]["sign_conflict"] is None
    assert found["all"]["cosine"][0]["cosine"] == pytest.approx(
        one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    )


def test_a_damaged_tensor_is_your_input(tmp_path: Path) -> None:
    bad = copy(words(1), tmp_path / "bad.safetensors")
    overwrite(bad, "cond_stage_model.transformer.text_model.final_layer_norm.bias", float("inf"))
    said = cli("plan", bad, words(2), "--base", words(0), "--method", "ties", "--analyse")
    assert said.code == 2
    assert "bad: 'text_encoder.final_layer_norm.bias' holds NaN or infinite" in said.err


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = itertools.count()

    def look(*arguments: object) -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("sdmerge.analysis.sums.Sums.add", look)
    said = cli("plan", *LINE, "--plot", tmp_path / "heat.png")
    assert said.code == 130
    assert list(tmp_path.iterdir()) == []
