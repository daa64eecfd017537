"""`sdmerge evolve` and `study`, as a user calls them, on the samples."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import ROOT, cli, listing, recipe

from sdmerge.cli.runs.perform import perform
from sdmerge.jobs import Jobs
from sdmerge.workspace import Workspace

SAMPLES = ROOT / "samples"
MODELS, SCORERS = SAMPLES / "models", SAMPLES / "scorers"
SEARCHED = f"""
merge_method: linear
models:
  - model: {MODELS / "japanese"}
    name: ja
    parameters: {{weight: {{search: [0.0, 1.5], init: 0.7}}}}
  - model: ukiyoe
    parameters: {{weight: {{search: [0.0, 1.5], init: 0.7}}}}
components: {{text_encoder: {{take: ja}}}}
evolve:
  prompts: {{search: search.txt, validation: validation.txt}}
  fitness: [{{scorer: clip, model: {SCORERS / "clip_a"}}}]
  report: [{{scorer: clip, model: {SCORERS / "clip_b"}}}]
  sampler: {{steps: 1, guidance_scale: 1.0}}
  engine: {{name: cma-es, population: 4}}
  validate_every: 1
  trials: 6
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with search marks and its prompts."""
    folder = tmp_path_factory.mktemp("evolve")
    (folder / "search.txt").write_text(
        "浮世絵風、黒い背景に白い丸\n浮世絵風、青い背景に黄色い四角\n", "utf-8"
    )
    (folder / "validation.txt").write_text("浮世絵風、緑の背景に赤い三角\n", "utf-8")
    shutil.copytree(MODELS / "ukiyoe", folder / "ukiyoe")
    return recipe(folder / "search.yaml", SEARCHED)


@pytest.fixture(scope="module")
def study(searched: Path) -> Path:
    """A small search that came to its end."""
    folder = searched.with_name("study")
    said = cli("evolve", searched, "-o", folder, "--json")
    assert said.code == 0, said.err
    assert (said.data["trials"], said.data["why"]) == (6, "trials")
    assert "searching: 6 of 6 candidates" in said.err
    return folder


def test_what_a_search_leaves(study: Path) -> None:
    names = set(listing(study))
    assert {
        "study.yaml", "evaluations.jsonl", "generations.jsonl", "exams.jsonl", "journal.log",
        "state.bin",
    } <= names  # fmt: skip
    assert any(name.startswith("pictures/0000/") for name in names)
    assert not [name for name in names if name.endswith(".partial")]
    said = cli("study", "show", study, "--json").data
    assert [one["name"] for one in said["baselines"]][:2] == ["ja", "ukiyoe"]
    assert {"uniform soup", "start"} <= {one["name"] for one in said["baselines"]}
    assert all(one["scores"] for one in said["baselines"]), said["baselines"]
    assert len(said["validation"][0]["columns"]) == 2
    assert [len(one["entries"]) for one in said["generations"]] == [4, 2]


def test_the_tables_say_it_to_people(study: Path) -> None:
    said = cli("study", "show", study)
    assert said.code == 0
    for word in (
        "Baselines",
        "uniform soup",
        "Generations",
        "Validation",
        "6 candidates with cma-es",
    ):
        assert word in said.out


def test_the_winner_is_a_recipe_that_merges_from_anywhere(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli("study", "best", study)
    assert said.code == 0, said.err
    assert "search" not in yaml.safe_load(said.out)["models"][0]["parameters"]
    (tmp_path / "deeper").mkdir()
    winner = tmp_path / "deeper" / "winner.yaml"
    winner.write_text(cli("study", "best", study, "-q").out, "utf-8")
    assert cli("merge", winner, "-o", tmp_path / "out").code in (0, 2)
    found = json.loads(cli("study", "best", study, "--json").out)
    weights = [one["parameters"]["weight"] for one in yaml.safe_load(found["recipe"])["models"]]
    assert weights == list(found["candidate"].values())


def test_nothing_is_evaluated_twice_and_more_trials_go_on(searched: Path, study: Path) -> None:
    refused = cli("evolve", searched, "-o", study)
    assert refused.code == 2
    assert "--resume" in refused.err
    assert cli("evolve", searched, "-o", study, "--resume", "--json").data["evaluations"] == 0
    mine = recipe(
        searched.with_name("mine.yaml"), SEARCHED.replace("{search: [0.0, 1.5], init: 0.7}", "1.25")
    )
    assert cli("study", "add", study, mine, "--json").data == {
        "path": str(study), "name": "mine", "in_space": True,
    }  # fmt: skip
    other = recipe(
        searched.with_name("other.yaml"),
        f"merge_method: passthrough\nmodels: [{{model: {MODELS / 'japanese'}}}]\n",
    )
    assert cli("study", "add", study, other, "--json").data["in_space"] is False
    wrong = recipe(
        searched.with_name("wrong.yaml"), "merge_method: linear\nmodels: [{model: nowhere}]\n"
    )
    assert cli("study", "add", study, wrong).code == 2
    more = cli("evolve", searched, "-o", study, "--resume", "--trials", "7", "--json").data
    assert more["trials"] == 7
    lines = [
        json.loads(line) for line in (study / "evaluations.jsonl").read_text("utf-8").splitlines()
    ]
    added = {one["name"]: one for one in lines if one["role"] == "suggested"}
    assert list(added["mine"]["candidate"].values()) == [1.25, 1.25]
    beside = [one for one in lines if one["role"] == "candidate" and one["generation"] == 1]
    assert {one["exam"] for one in beside} == {one["exam"] for one in added.values()}
    assert set(added) == {"mine", "other"}


def test_another_search_is_refused_with_what_differs(searched: Path, study: Path) -> None:
    before = (study / "study.yaml").read_bytes()
    for flags, said in (
        (["--seed", "5"], "seed"),
        (["--batch", "2"], "batch"),
        (["--set", "models[ja].parameters.weight={search: [0, 2]}"], "recipe"),
    ):
        refused = cli("evolve", searched, "-o", study, "--resume", *flags)
        assert refused.code == 2, refused.err
        assert said in refused.err
    prompts = searched.with_name("search.txt")
    text = prompts.read_text("utf-8")
    prompts.write_text(text.replace("白い丸", "白い四角"), "utf-8")
    refused = cli("evolve", searched, "-o", study, "--resume")
    prompts.write_text(text, "utf-8")
    assert refused.code == 2
    assert "prompts.search" in refused.err
    assert (study / "study.yaml").read_bytes() == before


def test_a_model_that_changed_is_noticed(searched: Path, study: Path, tmp_path: Path) -> None:
    file = "ukiyoe/unet/diffusion_pytorch_model.safetensors"
    weights = searched.parent / file
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    for command in (
        ["evolve", searched, "-o", study, "--resume"],
        ["study", "export", study, "-o", tmp_path / "x"],
    ):
        refused = cli(*command)
        assert refused.code == 2, refused.err
        assert f"{file} has changed since the study began" in refused.err
    assert not (tmp_path / "x").exists()
    weights.write_bytes(before)
    os.utime(weights)
    assert cli("evolve", searched, "-o", study, "--resume").code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fitness": [{"scorer": "clipp"}]}, "Did you mean 'clip'"),
        ({"engine": "cma"}, "there is no engine 'cma'"),
        ({"engine": "como"}, "objectives"),
        ({"prompts": {"search": "none.txt"}}, "none.txt"),
        ({"report": [{"scorer": "diversity"}]}, "images_per_prompt"),
        ({"prompts": {"search": "search.txt", "test": "search.txt"}}, "search:1 and test:1"),
    ],
)
def test_bad_input_is_said_before_anything_is_written(
    searched: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    data = yaml.safe_load(SEARCHED)
    data["evolve"] |= change
    bad = searched.with_name("bad.yaml")
    bad.write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    refused = cli("evolve", bad, "-o", tmp_path / "s")
    assert refused.code == 2, refused.err
    assert said in refused.err
    assert not (tmp_path / "s").exists()


def test_a_database_that_is_none_is_said_before_anything_is_written(
    searched: Path, tmp_path: Path
) -> None:
    refused = cli("evolve", searched, "-o", tmp_path / "s", "--storage", "nonsense")
    assert refused.code == 2
    assert "cannot be opened" in refused.err
    assert not (tmp_path / "s").exists()


def test_a_study_that_is_none(tmp_path: Path) -> None:
    for command in (["show"], ["best"], ["ask"], ["tell", "0=1"]):
        said = cli("study", command[0], tmp_path, *command[1:])
        assert said.code == 2
        assert "is no study" in said.err
    assert cli("evolve", "x.yaml", "-o", tmp_path, "--resume").code == 2


def test_candidates_judged_by_hand(searched: Path, tmp_path: Path) -> None:
    folder = tmp_path / "taste"
    chosen = "evolve.engine={name: preferential, batch: 3}"
    said = cli("evolve", searched, "-o", folder, "--set", chosen)
    assert said.code == 0, said.err
    asked = cli("study", "ask", folder, "--json").data
    assert [one["slot"] for one in asked["asked"]] == [0, 1, 2]
    assert cli("study", "ask", folder, "--json").data == asked
    first = yaml.safe_load(Path(asked["asked"][1]["recipe"]).read_text("utf-8"))
    weights = [one["parameters"]["weight"] for one in first["models"]]
    assert weights == list(asked["asked"][1]["candidate"].values())
    assert cli("study", "tell", folder, "0=1", "1=2").code == 2
    assert cli("study", "tell", folder, "0=1", "1=2", "2=x").code == 2
    told = cli("study", "tell", folder, "0=1", "1=3", "2=2", "--json")
    assert told.code == 0, told.err
    after = cli("study", "ask", folder, "--json").data
    assert after["generation"] == 1
    assert after["asked"][0]["candidate"] == asked["asked"][1]["candidate"]
    best = json.loads(cli("study", "best", folder, "--json").out)
    assert best["candidate"] == asked["asked"][1]["candidate"]


def test_a_job_that_is_done_again_goes_on(searched: Path, study: Path) -> None:
    """What the first attempt left is its own; what another command left is not."""
    jobs = Jobs(Workspace(searched.with_name("workspace")))
    asked = jobs.request("evolve", str(searched), "-o", str(study))
    job = jobs.runs.create(asked, title="", recipe="")
    perform(jobs.runs, job.number)
    first = jobs.get(job.number)
    assert first.state == "failed"
    assert first.error is not None
    assert "holds a study" in first.error.what
    before = (study / "evaluations.jsonl").read_bytes()
    jobs.runs.change(job.number, state="queued")
    perform(jobs.runs, job.number)
    again = jobs.get(job.number)
    assert (again.state, again.attempts) == ("done", 2), again.error
    assert (study / "evaluations.jsonl").read_bytes() == before
