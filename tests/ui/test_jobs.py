"""Jobs in a browser: stopped, ended by force, put in another order, the same after a reload."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect
from sdmerge_ui.place import SAMPLES, Place
from tiny import ROOT, copy, model

from sdmerge.jobs import Job
from sdmerge.jobs.model import Request
from sdmerge.sample.grid import read_cells

from .conftest import PATIENCE, Opening, shot

NOBODYS = ("cuda:6", "cuda:7")
"""Lanes that no worker looks after, until a job of theirs is ended."""
DEAF = """
import sys
from pathlib import Path
from sdmerge.jobs.folder import Runs
with Runs(Path(sys.argv[1])).claimed(int(sys.argv[2])):
    print("at work", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _patient() -> None:
    expect.set_options(timeout=PATIENCE)


def waiting(place: Place, title: str, lane: str) -> Job:
    """A job that waits, and that nobody begins."""
    asked = Request(("grid", "x.yaml", "-o", title), place.workspace.folder, device=lane)
    return place.jobs.runs.create(asked, title=title)


@contextmanager
def deaf(place: Place, job: Job) -> Iterator[subprocess.Popen[str]]:
    """A process that works on a job and does not hear that it should stop."""
    words = [sys.executable, "-c", DEAF, str(place.jobs.runs.folder), str(job.number)]
    with subprocess.Popen(
        words, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            yield process
        finally:
            process.kill()


def show_jobs(page: Page) -> None:
    page.locator("#sd-dock .toggle-button").click()
    expect(page.locator(".sd-dock h3")).to_be_in_viewport()


def test_who_does_not_stop_can_be_ended_after_ten_seconds(visit: Opening, place: Place) -> None:
    job = waiting(place, "deaf", NOBODYS[0])
    with deaf(place, job) as process, visit("?tab=merge") as (page, _):
        show_jobs(page)
        own = page.locator(f".sd-dock .job[data-job='{job.number}']")
        own.get_by_role("button", name="Stop").click()
        expect(own.get_by_role("button", name="Stopping")).to_be_disabled()
        expect(own.get_by_role("button", name="Kill")).to_have_count(0)
        then = time.time() - 11  # as if it had been asked that long ago
        os.utime(job.stop, (then, then))
        own.get_by_role("button", name="Kill").click()
        expect(page.locator(f".job.cancelled[data-job='{job.number}']")).to_be_attached()
        assert process.wait(20) != 0
    assert place.jobs.get(job.number).state == "cancelled"


def test_those_who_wait_change_places(visit: Opening, place: Place) -> None:
    first, second = (waiting(place, title, NOBODYS[1]) for title in ("first", "second"))
    with visit("?tab=merge") as (page, _), visit("?tab=runs") as (other, _):
        queued = ".sd-dock .job.queued .what"
        for one in (page, other):
            expect(one.locator(queued)).to_have_text(["grid first", "grid second"])
        show_jobs(page)
        own = page.locator(f".sd-dock .job[data-job='{second.number}']")
        own.get_by_role("button", name="Earlier").click()
        for one in (page, other):
            expect(one.locator(queued)).to_have_text(["grid second", "grid first"])
        page.reload()
        expect(page.locator(queued)).to_have_text(["grid second", "grid first"])
        shot(page, "queue")
        show_jobs(other)
        for job in (first, second):
            card = other.locator(f".sd-dock .job[data-job='{job.number}']")
            card.get_by_role("button", name="Stop").click()
        expect(page.locator(queued)).to_have_count(0)


def test_a_grid_is_stopped_between_pictures_and_goes_on(visit: Opening, place: Place) -> None:
    asked = ("grid", str(SAMPLES / "models" / "ukiyoe"), "-p", "a boat", "--seeds", "16",
             "--steps", "100", "-o", "{run}/grid")  # fmt: skip
    job = place.jobs.submit(place.request(*asked), title="boats")
    with visit("?tab=compare") as (page, _):
        own = page.locator(f".sd-dock .job[data-job='{job.number}']")
        expect(own.locator("progress")).to_have_attribute("max", "16")
        page.reload()
        expect(own.locator("progress")).to_have_attribute("max", "16")  # as if nothing was
        show_jobs(page)
        own.get_by_role("button", name="Stop").click()
        expect(page.locator(f".job.cancelled[data-job='{job.number}']")).to_be_attached()
        drawn = set(read_cells(job.run / "grid"))
        assert len(drawn) < 16
        own.get_by_role("button", name="Retry").click()
        expect(page.locator(f".job.done[data-job='{job.number}']")).to_be_attached()
    cells = read_cells(job.run / "grid")
    assert len(cells) == 16
    assert drawn <= set(cells)


def test_a_wrong_pair_is_refused_at_its_cause(visit: Opening, place: Place) -> None:
    other = place.workspace.models / "other.safetensors"
    copy(model("sd2", 1), other)
    with visit("?tab=merge") as (page, _):
        for name in ("japanese", "other.safetensors"):
            page.wait_for_selector(f"#sd-add option[value='{name}']", state="attached")
            page.select_option("#sd-add", name)
            expect(page.locator(f".model[data-model='{name}']")).to_be_visible()
        expect(page.locator(".sd-plan .error")).to_contain_text("other")
        fault = page.locator(".model[data-model='other.safetensors'] .fault")
        expect(fault).to_be_visible()
        shot(page, "wrong-pair")
        page.fill("#sd-name input, #sd-name textarea", "never")
        page.click("#sd-save-model")
        expect(page.locator(".toast-body")).to_contain_text("different families")
    assert not (place.workspace.models / "never.safetensors").exists()
    other.unlink()
