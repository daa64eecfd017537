"""What a method that trains says of it, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import yaml

from sdmerge.cli.fits import FitLogs
from sdmerge.cli.output import Output
from sdmerge.merge import Progress

LORAS = tiny.ROOT / "samples" / "loras"


def recipe(folder: Path, **parameters: object) -> Path:
    models = [
        {"model": str(LORAS / f"{name}.safetensors"), "parameters": {"prompts": [prompt]}}
        for name, prompt in (("torii", "a red torii"), ("pop", "a blue star"))
    ]
    data = {
        "merge_method": "ziplora", "base_model": str(tiny.SAMPLES / "base"), "models": models,
        "parameters": {"samples": 1, "steps": 1, "updates": 2, **parameters},
    }  # fmt: skip
    return tiny.recipe(folder / "zip.yaml", yaml.safe_dump(data))


def test_a_training_is_told_and_kept_with_what_it_found(tmp_path: Path) -> None:
    written = recipe(tmp_path, rate=0.2)
    run = ("--workspace", tmp_path / "space", "merge", written, "--json", "-o")
    first, again = (tiny.cli(*run, tmp_path / f"{n}.safetensors") for n in range(2))
    assert first.code == 0, first.err
    (log,) = json.loads(first.out)["fits"].values()
    assert [*log] == ["fidelity pop", "fidelity torii", "similarity", "distance"]
    assert all(len(numbers) == 2 for numbers in log.values())
    assert log["distance"][0] == pytest.approx(0.2, rel=0.2)
    assert json.loads(again.out)["fits"] == {"fitting ziplora": log}
    assert json.loads(again.out)["tensor_hash"] == json.loads(first.out)["tensor_hash"]


def test_mergers_that_do_not_move_write_nothing(tmp_path: Path) -> None:
    said = tiny.cli("merge", recipe(tmp_path, rate=5e-5), "-o", tmp_path / "out.safetensors")
    assert said.code == 2
    assert "that is the plain sum" in said.err
    assert "Raise rate (now 5e-05; the paper has 0.01)" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zip.yaml"]


def test_numbers_are_shown_while_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[float, float, str]] = []
    logs = FitLogs(lambda *done: told.append(done))
    logs.take(Progress(0, 4, 1, 4, "", "fitting ziplora", {"distance": [0.1]}))
    logs.take(Progress(0, 4, 2, 4, "", "fitting ziplora", {"distance": [0.1, 0.2, 0.4]}))
    logs.take(Progress(1, 4, 3, 4, "k"))
    assert told == [
        (1, 4, "fitting ziplora distance 0.1"), (2, 4, "fitting ziplora distance 0.4"),
        (3, 4, "merging"),
    ]  # fmt: skip
    logs.show(Output())
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["fitting", "ziplora:", "3", "steps"]
    assert lines[-1] == ["distance", "0.1", "0.2", "0.4"]
