"""`merge` of several recipes, and of values put into one: a model each, or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import canonical, cli, recipe, same, words

from sdmerge.jobs import Jobs
from sdmerge.workspace import Workspace

LINEAR = f"merge_method: linear\nmodels: [{{model: {words(1)}}}, {{model: {words(2)}}}]\n"


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    slerp = LINEAR.replace("linear", "slerp") + "parameters: {t: 0.3}\n"
    return recipe(tmp_path / "a.yaml", LINEAR), recipe(tmp_path / "b.yaml", slerp)


def test_several_recipes(both: tuple[Path, Path], tmp_path: Path) -> None:
    said = cli("merge", *both, "-o", tmp_path / "out" / "{name}-{method}.safetensors", "--json")
    assert said.code == 0, said.err
    files = [tmp_path / "out" / f"{name}.safetensors" for name in ("a-linear", "b-slerp")]
    assert [one["path"] for one in json.loads(said.out)["merges"]] == [str(one) for one in files]
    alone = tmp_path / "alone.safetensors"
    assert cli("merge", both[1], "-o", alone).code == 0
    assert same(canonical(files[1]), canonical(alone))


def test_values_of_an_ad_hoc_merge(tmp_path: Path) -> None:
    asked = ("merge", words(1), words(2), "--method", "slerp", "--sweep", "t=0.25,0.75")
    assert cli(*asked, "-o", tmp_path / "ab-{t}.safetensors").code == 0
    for t in (0.25, 0.75):
        alone = tmp_path / f"alone-{t}.safetensors"
        assert cli(*asked[:-2], "--t", t, "-o", alone).code == 0
        assert same(canonical(tmp_path / f"ab-{t}.safetensors"), canonical(alone))


def test_nothing_is_done_before_all_is_right(both: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").write_bytes(b"mine")
    wrong = recipe(tmp_path / "wrong.yaml", LINEAR.replace(str(words(2)), "nowhere.safetensors"))
    for sources, template, what in (
        (both, "{name}.safetensors", "1 of 2 exist already"),
        (both, "x.safetensors", "2 merges would be called"),
        (both, "{name}-{t}.safetensors", "there is no field 't' for a (linear)"),
        ((both[0], wrong), "new-{name}.safetensors", "there is no model 'nowhere.safetensors'"),
    ):
        for flags in ([], ["--background"]):
            said = cli("--workspace", tmp_path / "w", "merge", *sources, "-o",
                       tmp_path / template, *flags)  # fmt: skip
            assert (said.code, what in said.err) == (2, True), said.err
    assert {path.name for path in tmp_path.glob("*.safetensors")} == {"b.safetensors"}
    assert not Jobs(Workspace(tmp_path / "w")).all()


def test_a_batch_in_the_queue(
    both: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "wake", lambda *_: None)  # what is asked for, not what is made of it
    said = cli("--workspace", tmp_path / "w", "merge", both[1], "--sweep", "t=0,1", "--dtype",
               "float32", "--set", "seed=3", "-o", tmp_path / "b-{t}.safetensors", "--background",
               "--json")  # fmt: skip
    assert said.code == 0, said.err
    jobs = Jobs(Workspace(tmp_path / "w"))
    assert [one["run"] for one in json.loads(said.out)["runs"]] == [1, 2]
    asked = [jobs.asked(number) for number in (1, 2)]
    for t, one in enumerate(asked):
        target = str(tmp_path / f"b-{t}.safetensors")
        assert one.arguments == (
            "merge", str(both[1]), "--dtype", "float32", "--set", "seed=3", "--set", f"t={t}",
            "-o", target,
        )  # fmt: skip
        assert one.recipes == {both[1].resolve(): both[1].read_text()}
    assert cli(*asked[1].arguments).code == 0  # the job's own command line


def test_dice_of_the_command_line(both: tuple[Path, Path]) -> None:
    ids = [cli("plan", both[1], "--dice", seed, "-q").out for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]
    fixed = cli("plan", both[1], "--dice", 1, "--set", "t=0.3", "-q").out
    assert fixed == cli("plan", both[1], "-q").out
