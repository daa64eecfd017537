"""Real workers on the samples: grids, previews beside them, stops, kills; as the app does it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from tiny import ROOT, cli, copy, listing, words

from sdmerge.errors import Cancelled, InputError
from sdmerge.jobs import Job, Jobs, Preview, Wish
from sdmerge.jobs.lanes import Lane, reap
from sdmerge.sample.grid import picture_path, read_cells
from sdmerge.sample.picture import read_record
from sdmerge.workspace import Workspace

from .waiting import until

MODELS = ROOT / "samples" / "models"
SLERP = f"""
merge_method: slerp
models: [{{model: {MODELS / "japanese"}}}, {{model: {MODELS / "ukiyoe"}}}]
parameters: {{t: 0.5}}
"""
LINEAR = SLERP.replace("slerp", "linear").replace("parameters: {t: 0.5}", "")
PROMPT = "赤い背景に白い丸"
QUICK = {"steps": 2, "guidance_scale": 1.0}
SIX = ["--seeds", "6", "--batch", "1", "--steps", "8"]
FLAGS = ["--steps", "2", "--guidance", "1", "-p", PROMPT]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """Jobs of a workspace whose worker stays from test to test: it takes seconds to begin."""
    found = Jobs(Workspace(tmp_path_factory.mktemp("workspace")))
    yield found
    for job in found.all():
        found.kill(job.number)
    lane = Lane(found.runs.folder, "cpu")
    # a process that has just done a job may still be ending
    until(lambda: found.free_memory() or lane.address() is None, "the worker's end")
    reap()


def grid(jobs: Jobs, *flags: object, recipe: str = SLERP) -> Job:
    """A grid of a recipe, submitted."""
    asked = ["grid", "{run}/recipe.yaml", "-o", "{run}/grid", *FLAGS, *map(str, flags)]
    return jobs.submit(jobs.request(*asked), recipe=recipe)


def over(jobs: Jobs, job: Job) -> Job:
    """The job when nobody works on it any more."""
    until(lambda: jobs.get(job.number).over, f"the end of run {job.number}")
    return jobs.get(job.number)


def cells(job: Job) -> dict[str, bytes]:
    """The pictures of a grid, by what they show."""
    found = read_cells(job.run / "grid").values()
    return {
        f"{one.values} {one.seed}": picture_path(job.run / "grid", one).read_bytes()
        for one in found
    }


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def preview(jobs: Jobs, seeds: int = 1, recipe: str = SLERP, **more: object) -> Preview:
    shots = tuple((PROMPT, seed) for seed in range(seeds))
    return jobs.preview(Wish(recipe, shots, QUICK, **more))  # pyright: ignore[reportArgumentType]


def test_a_preview_is_the_picture_of_a_grid(jobs: Jobs, tmp_path: Path) -> None:
    """Drawn by a worker that took over from one that was killed as soon as it had begun."""
    begun = grid(jobs, "--x", "t=0.2,0.8")
    until(lambda: jobs.get(begun.number).state == "running", "the worker")
    killed(jobs, begun)
    job = over(jobs, begun)
    assert (job.state, job.exit_code, job.error) == ("done", 0, None), job.log.read_text()
    assert job.attempts == 2
    assert job.results[0] == job.run / "grid"
    told = jobs.progress(job.number)
    assert told is not None
    assert (told.data["phase"], told.data["done"], told.data["total"]) == ("drawing", 2, 2)
    result = jobs.result(job.number)
    assert result is not None
    assert result["drawn"] == 2

    found = preview(jobs, settings=("t=0.8",))
    cell = next(one for one in read_cells(job.run / "grid").values() if one.values["t"] == 0.8)
    drawn = picture_path(job.run / "grid", cell)
    assert np.array_equal(pixels(found.pictures[0]), pixels(drawn.read_bytes()))
    assert found.recipe_id == cell.recipe_id
    again = preview(jobs, settings=("t=0.8",))
    assert again.pictures == found.pictures
    assert again.tensors == 0  # the pipeline held it already
    saved = tmp_path / "preview.png"
    saved.write_bytes(found.pictures[0])
    assert read_record(saved).recipe_id == cell.recipe_id


def test_a_preview_comes_first_and_leaves_no_trace(jobs: Jobs, tmp_path: Path) -> None:
    """While a grid is drawn, of other weights, and of a pipeline with another scheduler."""
    other = copy(MODELS / "distilled", tmp_path / "other")
    schedule = other / "scheduler" / "scheduler_config.json"
    schedule.write_text(schedule.read_text("utf-8").replace('"trailing"', '"leading"'), "utf-8")
    alone = f"merge_method: linear\nmodels: [{{model: {other}}}]\n"
    job = grid(jobs, "--seeds", "4", "--steps", "12", "--batch", "2")
    until(lambda: jobs.progress(job.number), "the first merge of the grid")
    first = preview(jobs, recipe=LINEAR)
    second = preview(jobs, recipe=alone)
    assert jobs.get(job.number).state == "running"
    assert len(read_cells(job.run / "grid")) < 4
    beside = over(jobs, job)
    assert beside.state == "done", beside.error
    quiet = over(jobs, grid(jobs, "--seeds", "4", "--steps", "12", "--batch", "2"))
    assert cells(quiet) == cells(beside)
    assert preview(jobs, recipe=LINEAR).pictures == first.pictures
    assert preview(jobs, recipe=alone).pictures == second.pictures


def test_mistakes_in_a_preview_are_told(jobs: Jobs) -> None:
    with pytest.raises(InputError, match="no merge method 'linaer'") as raised:
        preview(jobs, recipe="merge_method: linaer\nmodels: [{model: a}]\n")
    assert "linear" in raised.value.hint
    with pytest.raises(InputError, match="there is no model 'nowhere'"):
        preview(jobs, recipe="merge_method: linear\nmodels: [{model: nowhere}]\n")


@pytest.mark.long  # as tests/ui/test_jobs.py does in a browser
def test_a_grid_is_stopped_and_goes_on(jobs: Jobs) -> None:
    job = grid(jobs, *SIX)
    until(lambda: read_cells(job.run / "grid"), "a cell")
    jobs.cancel(job.number)
    stopped = over(jobs, job)
    assert (stopped.state, stopped.exit_code) == ("cancelled", 130)
    assert stopped.error is not None
    assert "cells are there" in stopped.error.what
    before = cells(stopped)
    assert 0 < len(before) < 6
    assert went_on(jobs, stopped, before) >= len(before)


SERVER = """
import sys
from pathlib import Path
from sdmerge.jobs import Jobs
from sdmerge.workspace import Workspace
jobs = Jobs(Workspace(Path(sys.argv[1])))
print(jobs.submit(jobs.request(*sys.argv[3:]), recipe=sys.argv[2]).number, flush=True)
sys.stdin.read()
"""


def test_a_server_killed_in_the_middle_of_a_grid(jobs: Jobs) -> None:
    """The run does not need who submitted it, and whoever starts next does not begin it again."""
    asked = ["grid", "{run}/recipe.yaml", "-o", "{run}/grid", *FLAGS, *SIX]
    command = [sys.executable, "-c", SERVER, str(jobs.workspace.folder), SLERP, *asked]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        number = int(server.stdout.readline())
        until(lambda: read_cells(jobs.get(number).run / "grid"), "a cell")
        server.kill()
    before = cells(jobs.get(number))
    assert jobs.resume() == []
    assert went_on(jobs, jobs.get(number), before, resumed=True) == 0
    assert jobs.get(number).attempts == 1


@pytest.mark.long
def test_a_worker_killed_in_the_middle_of_a_grid(jobs: Jobs) -> None:
    """What it drew stays, and the job goes on where it was."""
    job = grid(jobs, *SIX)
    until(lambda: read_cells(job.run / "grid"), "a cell")
    killed(jobs, job)
    before = cells(job)
    assert 0 < len(before) < 6
    assert went_on(jobs, job, before, resumed=True) >= len(before)
    assert jobs.get(job.number).attempts == 2


def killed(jobs: Jobs, job: Job) -> None:
    """Kill the worker that has a job, and take the job up again."""
    pid = jobs.get(job.number).pid
    assert pid is not None
    psutil.Process(pid).kill()
    until(lambda: jobs.get(job.number).state == "interrupted", "that its end is noticed")
    assert [one.number for one in jobs.resume()] == [job.number]


def went_on(jobs: Jobs, job: Job, before: dict[str, bytes], *, resumed: bool = False) -> int:
    """Assert that a job drew what was left, and nothing twice; how much its last try found."""
    if not resumed:
        jobs.retry(job.number)
    done = over(jobs, job)
    assert (done.state, done.error) == ("done", None)
    after = cells(done)
    assert len(after) == 6
    assert {name: after[name] for name in before} == before
    lines = (job.run / "grid" / "cells.jsonl").read_text("utf-8").splitlines()
    names = [json.loads(line)["id"] for line in lines]
    assert len(names) == len(set(names)) == 6
    result = jobs.result(job.number)
    assert result is not None
    assert result["drawn"] + result["kept"] == 6
    return result["kept"]


def test_a_newer_preview_of_the_same_owner_ends_an_older_one(jobs: Jobs) -> None:
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(preview, jobs, 1000, owner="tab")

        def ended() -> bool:
            preview(jobs, owner="tab", recipe=LINEAR)
            return long.done()

        until(ended, "the end of the older one")
    assert isinstance(long.exception(), Cancelled)


def test_memory_is_given_back(jobs: Jobs) -> None:
    jobs.warm()
    address = Lane(jobs.runs.folder, "cpu").address()
    assert address is not None
    assert jobs.free_memory()
    assert not address.alive
    assert not jobs.free_memory()


def test_a_merge_fails_with_words(jobs: Jobs, tmp_path: Path) -> None:
    workspace = ["--workspace", jobs.workspace.folder]
    missing = tmp_path / "a.yaml"
    missing.write_text("merge_method: linear\nmodels: [{model: nowhere}]\n", "utf-8")
    said = cli(*workspace, "merge", missing, "-o", tmp_path / "x", "--background", "-q")
    assert said.code == 0, said.err
    job = over(jobs, jobs.get(int(said.out)))
    assert (job.state, job.exit_code) == ("failed", 2)
    assert job.error is not None
    assert "no model 'nowhere'" in job.error.what
    assert "Looked in" in job.error.hint
    followed = cli(*workspace, "runs", "attach", job.number)
    assert followed.code == 2
    assert "no model 'nowhere'" in followed.err
    assert "Looked in" in followed.err


def test_mistakes_are_told_before_anything_waits(jobs: Jobs, tmp_path: Path) -> None:
    workspace, before = ["--workspace", jobs.workspace.folder], len(jobs.all())
    wrong = tmp_path / "a.yaml"
    wrong.write_text("merge_method: linaer\nmodels: [{model: x}]\n", "utf-8")
    for arguments in (["merge", wrong, "-o", "x"], ["merge", tmp_path / "no.yaml", "-o", "x"]):
        said = cli(*workspace, *arguments, "--background")
        assert said.code == 2, said.out
    assert len(jobs.all()) == before


def test_merges_of_merges(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Submitted, followed, traced back, cleaned up, made again: the same bytes."""
    monkeypatch.chdir(tmp_path)
    workspace = ["--workspace", jobs.workspace.folder]
    ab = jobs.workspace.models / "ab.safetensors"
    recipe = tmp_path / "ab.yaml"
    text = f"merge_method: slerp\nmodels: [{{model: {words(1)}}}, {{model: {words(2)}}}]\n"
    recipe.write_text(text + "parameters: {t: 0.25}\n", "utf-8")
    said = cli(*workspace, "merge", "ab.yaml", "-o", ab, "--background", "--json")
    first = said.data["run"]
    # the job has the recipe as it was
    recipe.write_text("merge_method: nothing of the kind\n", "utf-8")
    followed = cli(*workspace, "runs", "attach", first)
    assert followed.code == 0, followed.err
    assert "merging: " in followed.err
    assert f"wrote {ab}" in followed.out
    made = ab.read_bytes()

    abc = jobs.workspace.models / "abc.safetensors"
    asked = ["merge", ab, words(3), "--method", "weighted_sum", "--alpha", "0.5", "-o", abc]
    second = int(cli(*workspace, *asked, "--background", "-q").out)
    assert cli(*workspace, "runs", "attach", second, "-q").out.strip() == str(abc)
    shown = cli(*workspace, "runs", "show", second, "--json").data
    assert shown["state"] == "done"
    assert "weighted_sum" in shown["recipe"]
    assert shown["lineage"] == [
        f"abc ← weighted_sum · run {second}",
        f"  ab ← slerp · run {first}",
        f"    {words(1).stem}",
        f"    {words(2).stem}",
        f"  {words(3).stem}",
    ]

    listed = cli(*workspace, "runs", "ls", "--json").data["runs"]
    assert [one["number"] for one in listed][:2] == [second, first]
    refused = cli(*workspace, "runs", "clean")
    assert (refused.code, abc.exists()) == (2, True)  # nobody is there to say yes
    cleaned = cli(*workspace, "runs", "clean", "--yes", "--json")
    assert cleaned.code == 0, cleaned.err
    assert cleaned.data["removed"] == [str(abc)]  # and not what it is made of
    assert ab.exists()
    assert "(removed)" in cli(*workspace, "runs", "show", second).err
    cleaned = cli(*workspace, "runs", "clean", "--yes", "--json")
    assert cleaned.data["removed"] == [str(ab)]
    assert cli(*workspace, "runs", "retry", first).code == 0
    assert cli(*workspace, "runs", "attach", first).code == 0
    assert ab.read_bytes() == made
    assert listing(jobs.workspace.models) == ["ab.safetensors"]
