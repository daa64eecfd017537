"""`sdmerge study export` on the samples, from a search to a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import ROOT, cli, listing, recipe

from sdmerge.scoring.prompts import read_prompts

SAMPLES = ROOT / "samples"
PROMPTS = {
    "search": ("浮世絵風、黒い背景に白い丸", "浮世絵風、青い背景に黄色い四角"),
    "validation": ("浮世絵風、緑の背景に赤い三角",),
    "test": ("浮世絵風、緑の背景に青い丸", "浮世絵風、白い背景に赤い丸"),
}
SEARCHED = f"""
merge_method: linear
models:
  - model: {SAMPLES / "models" / "japanese"}
    name: ja
    parameters: {{weight: {{search: [0.0, 1.5], init: 0.7}}}}
  - model: {SAMPLES / "models" / "ukiyoe"}
    parameters: {{weight: {{search: [0.0, 1.5], init: 0.7}}}}
evolve:
  prompts: {{search: search.txt, validation: validation.txt, test: test.txt}}
  fitness: [{{scorer: clip, model: {SAMPLES / "scorers" / "clip_a"}}}]
  report: [{{scorer: clip, model: {SAMPLES / "scorers" / "clip_b"}}}]
  sampler: {{steps: 1, guidance_scale: 1.0}}
  engine: random
  validate_every: 1
  trials: 2
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small search with test prompts."""
    folder = tmp_path_factory.mktemp("export")
    for name, lines in PROMPTS.items():
        (folder / f"{name}.txt").write_text("\n".join(lines), "utf-8")
    written = recipe(folder / "search.yaml", SEARCHED)
    said = cli("evolve", written, "-o", folder / "study")
    assert said.code == 0, said.err
    return folder / "study"


@pytest.fixture(scope="module")
def exported(study: Path) -> Path:
    said = cli("study", "export", study, "-o", study.with_name("out"), "--layout", "single-file",
               "--json")  # fmt: skip
    assert said.code == 0, said.err
    assert said.data["test"]["runs"] == 1
    assert [*said.data["test"]["means"]] == ["winner", "ja", "ukiyoe", "uniform soup"]
    assert any("parent" in sentence for sentence in said.data["verdict"])
    return study.with_name("out")


def test_what_an_export_holds(exported: Path, study: Path) -> None:
    assert {"winner.yaml", "model.safetensors", "report.html", "curve.png", "forest.png",
            "gallery.png", "values.png"} <= set(listing(exported))  # fmt: skip
    assert not [name for name in listing(exported.parent) if name.endswith(".partial")]
    test = json.loads((study / "test.json").read_text("utf-8"))
    assert all(len(one["scores"]) == 2 for one in test["contenders"])


def test_the_winners_recipe_makes_the_model(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("merge", exported / "winner.yaml", "-o", tmp_path / "again.safetensors").code == 0
    first = load_file(exported / "model.safetensors")
    second = load_file(tmp_path / "again.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert cli("verify", exported / "model.safetensors").code == 0


def test_the_test_is_run_once(exported: Path, study: Path, tmp_path: Path) -> None:
    before = (study / "test.json").read_bytes()
    said = cli("study", "export", study, "-o", exported, "--force", "--no-model", "--json")
    assert said.code == 0, said.err
    assert said.data["test"]["runs"] == 1
    assert "was run already" in said.err
    assert (study / "test.json").read_bytes() == before
    assert "model.safetensors" not in listing(exported)
    again = cli(
        "study", "export", study, "-o", tmp_path / "again", "--no-model", "--again", "--json"
    )
    assert again.data["test"]["runs"] == 2
    assert any("run 2 times" in sentence for sentence in again.data["verdict"])
    assert "run 2 times" in (tmp_path / "again" / "report.html").read_text("utf-8")


def test_nothing_is_overwritten(exported: Path, study: Path, tmp_path: Path) -> None:
    refused = cli("study", "export", study, "-o", exported)
    assert refused.code == 2
    assert "--force" in refused.err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", "utf-8")
    refused = cli("study", "export", study, "-o", tmp_path / "mine", "--force")
    assert refused.code == 2
    assert "no earlier export" in refused.err
    replaced = cli("study", "export", study, "-o", exported, "--force", "--no-model", "--no-test")
    assert replaced.code == 0, replaced.err
    assert "forest.png" not in listing(exported)


def test_test_prompts_that_were_searched_with_are_refused(study: Path, tmp_path: Path) -> None:
    prompts = study.with_name("test.txt")
    text = prompts.read_text("utf-8")
    shared = read_prompts(study.with_name("search.txt"))[1].prompt
    prompts.write_text(f"{text}\n{shared}\n", "utf-8")
    refused = cli("study", "export", study, "-o", tmp_path / "x", "--again")
    prompts.write_text(text, "utf-8")
    assert refused.code == 2
    assert "is search:2 and test:3" in refused.err
    assert not (tmp_path / "x").exists()


def test_a_folder_that_is_no_study(tmp_path: Path) -> None:
    refused = cli("study", "export", tmp_path, "-o", tmp_path / "x")
    assert refused.code == 2
    assert "is no study" in refused.err
