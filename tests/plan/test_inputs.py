"""Where models are looked for, and what a recipe may call one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import copy, model, planned, words

from sdmerge.adapters import open_model
from sdmerge.errors import FileError
from sdmerge.plan import Plan, plan
from sdmerge.plan.inputs import Inputs
from sdmerge.recipe import recipe_from_data


def only(path: str, folder: Path | None = None, *roots: Path) -> Plan:
    data = {"merge_method": "linear", "models": [{"model": path}]}
    return plan(recipe_from_data(data, "test", folder), roots=roots)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders beside the recipe, to work in, and to look in; each has a model of the same name."""
    for seed, name in ((1, "recipes"), (2, "here"), (0, "root")):
        copy(words(seed), tmp_path / name / "x.safetensors")
        copy(words(seed), tmp_path / name / f"only-{name}.safetensors")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_the_recipes_own_folder_first_then_the_working_one_then_the_roots(places: Path) -> None:
    def found(name: str) -> Path:
        return only(name, places / "recipes", places / "root").inputs[0].path

    assert found("x.safetensors") == places / "recipes" / "x.safetensors"
    for name in ("recipes", "here", "root"):
        assert found(f"only-{name}.safetensors") == places / name / f"only-{name}.safetensors"
    assert only("x.safetensors").inputs[0].path == places / "here" / "x.safetensors"
    assert only(str(places / "root" / "x.safetensors")).inputs[0].path.parent.name == "root"
    assert found("../here/x.safetensors") == places / "here" / "x.safetensors"


def test_home_is_understood(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(places))
    assert only("~/root/x.safetensors").inputs[0].path == places / "root" / "x.safetensors"


def test_a_model_that_is_nowhere_says_where_it_was_sought(places: Path) -> None:
    with pytest.raises(FileError) as caught:
        only("models/typo.safetensors", places / "recipes", places / "root")
    assert caught.value.what == "there is no model 'models/typo.safetensors'"
    for name in ("recipes", "here", "root"):
        assert str(places / name / "models") in caught.value.hint


def test_a_link_is_the_file_it_leads_to(places: Path) -> None:
    (places / "here" / "link.safetensors").symlink_to(places / "root" / "x.safetensors")
    assert only("link.safetensors").inputs[0].path == places / "root" / "x.safetensors"


def test_one_file_by_two_ways_is_one_source(places: Path) -> None:
    inputs = Inputs(places / "recipes")
    one = inputs.open("x.safetensors", "")
    two = inputs.open(str(places / "recipes" / "x.safetensors"), "")
    assert one is two


def test_sources_in_memory_go_by_their_name() -> None:
    live = open_model(words(1))
    data = {"merge_method": "linear", "models": [{"model": "draft"}, {"model": str(words(2))}]}
    made = plan(recipe_from_data(data, "test"), live={"draft": live})  # type: ignore[dict-item]
    assert made.sources[0] is live
    assert made.source_names == ("draft", words(2).stem)


def test_folders_and_parts_of_folders_are_models() -> None:
    folder = model("sd1", 1, "diffusers", components=("vae", "text_encoder"))
    assert {task.key.split(".")[0] for task in only(str(folder)).tasks} == {"vae", "text_encoder"}
    part = only(str(folder / "vae"))
    assert {task.key.split(".")[0] for task in part.tasks} == {"vae"}
    assert planned({"merge_method": "linear", "models": [{"model": str(folder)}]}).inputs[0].files
