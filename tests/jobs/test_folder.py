"""Jobs on the disk: numbers, states, order; with several processes at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import ROOT

from sdmerge.errors import InputError
from sdmerge.jobs.folder import Runs
from sdmerge.jobs.jobs import Jobs
from sdmerge.jobs.model import Request
from sdmerge.workspace import Workspace

SUBMIT = """
import sys
from pathlib import Path
from sdmerge.jobs.folder import Runs
from sdmerge.jobs.model import Request
runs = Runs(Path(sys.argv[1]))
sys.stdin.readline()
print(*[runs.create(Request(("merge", "-o", f"{n}"), Path())).number for n in range(25)])
"""
CLAIM = """
import sys
from pathlib import Path
from sdmerge.jobs.folder import Runs
with Runs(Path(sys.argv[1])).claimed(1) as job:
    print(job.state, flush=True)
    sys.stdin.readline()
"""


def process(code: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    return Request(("merge", "a", "-o", "out/ab.safetensors"), tmp_path)


def test_two_processes_never_get_one_number(runs: Runs) -> None:
    both = [process(SUBMIT, runs.folder) for _ in range(2)]
    said = [one.communicate("\n", timeout=60)[0].split() for one in both]
    numbers = [int(word) for words in said for word in words]
    assert sorted(numbers) == list(range(1, 51))
    assert [job.number for job in runs.all()] == list(range(1, 51))
    assert not list(runs.folder.glob("*.new"))


def test_a_number_is_not_given_again(runs: Runs, request_: Request) -> None:
    assert [runs.create(request_).number for _ in range(2)] == [1, 2]
    shutil.rmtree(runs.run(2))
    assert runs.create(request_).number == 3
    with pytest.raises(InputError, match="no run 2"):
        runs.get(2)


def test_what_is_asked_comes_back(runs: Runs, tmp_path: Path) -> None:
    recipe = tmp_path / "a.yaml"
    asked = Request(
        ("lora", "merge", "a.yaml", "-o", "{run}/ab"), tmp_path, (tmp_path / "more",), "cuda:0",
        (tmp_path / "mine.py",), {recipe: "merge_method: ties\n"},
    )  # fmt: skip
    job = runs.create(asked)
    assert runs.request(job.number) == asked
    assert (job.kind, job.lane, job.state) == ("lora-merge", "cpu", "queued")
    assert job.recipe.read_text("utf-8") == "merge_method: ties\n"
    words = asked.command_line(tmp_path / "w", job.run)
    assert words[:6] == [
        "--workspace", str(tmp_path / "w"), "--device", "cuda:0", "--models", str(tmp_path / "more")
    ]  # fmt: skip
    assert words[-5:] == ["lora", "merge", "a.yaml", "-o", f"{job.run}/ab"]


@pytest.mark.parametrize(
    ("arguments", "device", "kind", "lane", "resident", "title"),
    [
        (("grid", "a.yaml", "-o", "grids/t"), "cuda:0", "grid", "cuda:0", True, "t"),
        (("merge", "a.yaml", "-o", "{run}/x"), "cuda:0", "merge", "cpu", False, "a"),
        (("evolve", "a.yaml", "-o", "s"), "cuda:1", "evolve", "cuda:1", False, "s"),
        (("score", "models/a/"), "cpu", "score", "cpu", True, "a"),
        (("lora", "ziplora", "a", "b"), "cuda:0", "lora-ziplora", "cuda:0", False, "ziplora"),
    ],
)
def test_lanes_and_names(
    arguments: tuple[str, ...], device: str, kind: str, lane: str, resident: bool, title: str
) -> None:
    asked = Request(arguments, Path(), device=device)
    assert (asked.kind, asked.lane, asked.resident, asked.title) == (kind, lane, resident, title)


def test_a_worker_that_is_killed_leaves_an_interrupted_job(runs: Runs, request_: Request) -> None:
    runs.create(request_)
    worker = process(CLAIM, runs.folder)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "running\n"
    job = runs.get(1)
    assert (job.state, job.pid, job.attempts) == ("running", worker.pid, 1)
    with runs.claimed(1) as twice:
        assert twice is None
    worker.kill()
    worker.communicate(timeout=60)
    job = runs.get(1)
    assert (job.state, job.pid) == ("interrupted", None)
    assert job.error is not None
    assert "retry 1" in job.error.hint
    assert json.loads((job.run / "job.json").read_text("utf-8"))["state"] == "interrupted"


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Jobs that nobody works on: what is tested is the queue."""
    monkeypatch.setattr(Jobs, "wake", lambda *_: None)
    return Jobs(Workspace(tmp_path))


def waiting(jobs: Jobs) -> list[int]:
    return [job.number for job in jobs.runs.queue("cpu")]


def test_the_queue_can_be_reordered(jobs: Jobs) -> None:
    for name in "abc":
        jobs.submit(jobs.request("merge", "x", "-o", name))
    jobs.submit(jobs.request("grid", "x", "-o", "d", device="cuda:0"))
    jobs.move(3, up=True)
    assert waiting(jobs) == [1, 3, 2]
    jobs.move(1, up=True)
    assert waiting(jobs) == [1, 3, 2]
    jobs.move(1, up=False)
    assert waiting(jobs) == [3, 1, 2]
    assert jobs.cancel(1).state == "cancelled"
    assert waiting(jobs) == [3, 2]
    with pytest.raises(InputError, match="run 1 does not wait"):
        jobs.move(1, up=True)
    assert jobs.retry(1).state == "queued"
    assert waiting(jobs) == [3, 2, 1]


def test_what_is_done_is_not_done_again(jobs: Jobs, tmp_path: Path) -> None:
    number = jobs.submit(jobs.request("merge", "x", "-o", "a")).number
    result = tmp_path / "a"
    result.mkdir()
    jobs.runs.change(number, state="done", exit_code=0, results=(result,))
    with pytest.raises(InputError, match="is done"):
        jobs.retry(number)
    result.rmdir()
    assert jobs.retry(number).state == "queued"


def test_crashes_without_end_are_not_resumed(jobs: Jobs) -> None:
    for attempts in (1, 2, 3):
        job = jobs.submit(jobs.request("grid", "x", "-o", "a"))
        jobs.runs.change(job.number, state="interrupted", attempts=attempts)
    assert [job.number for job in jobs.resume()] == [1, 2]
    assert jobs.get(3).state == "interrupted"
