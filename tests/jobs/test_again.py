"""A run again is a new run with a name that is free, where it went the first time."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdmerge.jobs import Jobs
from sdmerge.jobs.again import again
from sdmerge.workspace import Workspace


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Jobs that nobody works on: what is tested is what they are asked."""
    monkeypatch.setattr(Jobs, "wake", lambda *_: None)
    return Jobs(Workspace(tmp_path))


def target_again(jobs: Jobs, target: str, *results: Path) -> str:
    """What a merge that wrote these writes when it is run again."""
    number = jobs.submit(jobs.request("merge", "x", "-o", target)).number
    jobs.runs.change(number, state="done", exit_code=0, results=results)
    arguments = jobs.asked(again(jobs, number).number).arguments
    return arguments[arguments.index("-o") + 1]


def test_the_next_free_name(jobs: Jobs, tmp_path: Path) -> None:
    made = tmp_path / "soup.v1.safetensors"
    assert target_again(jobs, str(made)) == str(made)  # nothing lies there
    for name in ("soup.v1.safetensors", "soup.v1-2.safetensors"):
        (tmp_path / name).touch()
    assert target_again(jobs, str(made), made) == str(tmp_path / "soup.v1-3.safetensors")


def test_in_a_host_as_well(jobs: Jobs, tmp_path: Path) -> None:
    folder = tmp_path / "ComfyUI" / "models" / "checkpoints" / "mine"
    folder.mkdir(parents=True)
    made = folder / "soup.safetensors"
    assert target_again(jobs, "ComfyUI:mine/soup.safetensors") == "ComfyUI:mine/soup.safetensors"
    for name in ("soup.safetensors", "soup-2.safetensors"):
        (folder / name).touch()
    found = target_again(jobs, "ComfyUI:mine/soup.safetensors", made)
    assert found == "ComfyUI:mine/soup-3.safetensors"
