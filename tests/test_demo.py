"""The demo: genuine, whole, the samples' own, and never in anybody's way."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import cli

from samples.make_demo import GRID, GRID_FLAGS, STUDY_FOLDER
from sdmerge import demo
from sdmerge.errors import InputError
from sdmerge.evolve.ledger import read_description
from sdmerge.evolve.opening import study_from, study_in
from sdmerge.plan import plan
from sdmerge.recipe import load_recipe, parse_recipe, recipe_id
from sdmerge.sample.grid import find_grids, picture_path, read_cells, read_grid
from sdmerge.sample.picture import read_record
from sdmerge.workspace import SAMPLES, Workspace

MODELS = SAMPLES / "models"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "demo", (MODELS,))
    demo.lay_out(found)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_is_there_stays(workspace: Workspace) -> None:
    whole = contents(workspace.folder)
    recipe = workspace.recipes / "first.yaml"
    recipe.write_text("merge_method: linear\nmodels: [{model: base}]\n", "utf-8")
    (workspace.folder / STUDY_FOLDER / "exams.jsonl").unlink()
    assert demo.lay_out(workspace) == []
    recipe.unlink()
    assert demo.lay_out(workspace) == [recipe]
    left = {name for name, data in contents(workspace.folder).items() if whole[name] != data}
    assert left == set()
    assert set(whole) - set(contents(workspace.folder)) == {f"{STUDY_FOLDER}/exams.jsonl"}


def test_it_is_small_and_names_no_machine() -> None:
    files = contents(demo.DEMO)
    assert sum(map(len, files.values())) < 2_000_000
    for name, data in files.items():
        for word in (b"/work/", b"/home/", b"/tmp/", b"/Users/", b"C:\\"):
            assert word not in data, (name, word)


def test_without_samples_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "DEMO", tmp_path / "nowhere")
    with pytest.raises(InputError, match="the samples are not here"):
        demo.lay_out(Workspace(tmp_path / "demo"))
    assert not (tmp_path / "demo").exists()


def test_the_grid_was_drawn_of_the_samples(workspace: Workspace) -> None:
    (folder,) = find_grids(workspace)
    grid, cells = read_grid(folder), read_cells(folder)
    assert folder == workspace.folder / GRID
    assert len(cells) == grid.count == 40
    for cell in cells.values():
        record = read_record(picture_path(folder, cell))
        assert (record.prompt, record.seed) == (cell.prompt, cell.seed)
        recipe = parse_recipe(record.recipe)
        assert recipe_id(recipe) == record.recipe_id == cell.recipe_id
        assert cell.scores
    assert plan(recipe, roots=workspace.model_roots).report.merged


def test_the_grid_is_complete_on_this_machine(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command draws nothing: recipes and the hashes of the samples are the same."""
    monkeypatch.chdir(workspace.folder)
    options = ["--workspace", ".", "--models", str(MODELS)]
    # scorers have no part in it, and take seconds to load
    at = GRID_FLAGS.index("--score")
    flags = (*GRID_FLAGS[:at], *GRID_FLAGS[at + 2 :])
    said = cli(*options, "grid", "recipes/first.yaml", *flags, "-o", GRID, "--json")
    assert said.code == 0, said.err
    assert (said.data["drawn"], said.data["kept"], said.data["merged"]) == (0, 40, 0)


def test_the_study_can_be_gone_on_with(workspace: Workspace) -> None:
    folder = workspace.folder / STUDY_FOLDER
    study = study_in(folder, lambda one: plan(one, roots=workspace.model_roots))
    description = read_description(folder)
    assert Path(description.folder).resolve() == workspace.folder.resolve()
    assert description.changes(study.description(device="cpu")) == []
    assert description.recipe == study_in_file(workspace)


def study_in_file(workspace: Workspace) -> str:
    """The recipe of the search, as its file says it now."""
    recipe = load_recipe(workspace.folder / "search.yaml")
    study = study_from(recipe, lambda one: plan(one, roots=workspace.model_roots))
    return study.description().recipe


def test_the_study_is_shown(workspace: Workspace) -> None:
    options = ["--workspace", workspace.folder, "--models", MODELS]
    said = cli(*options, "study", "show", workspace.folder / STUDY_FOLDER, "--json")
    assert said.code == 0, said.err
    assert said.data["trials"] == 60
    assert said.data["best"]["candidate"]
