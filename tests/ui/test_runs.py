"""The history in a browser: found, read, opened, checked, made again, cleaned up."""

from __future__ import annotations

import contextlib
import time

import pytest
import torch
from playwright.sync_api import expect
from safetensors.torch import load_file
from sdmerge_ui.merge.saving import save_model
from sdmerge_ui.place import Place

from sdmerge.jobs import Job

from .conftest import PATIENCE, Opening, shot

RECIPE = "merge_method: linear\nmodels: [{model: ukiyoe}, {model: japanese}]\n"


@pytest.fixture(autouse=True)
def _patient() -> None:
    expect.set_options(timeout=PATIENCE)


def ended(place: Place, number: int) -> Job:
    end = time.monotonic() + PATIENCE / 1000
    while not (job := place.jobs.get(number)).over:
        assert time.monotonic() < end
        time.sleep(0.05)
    return job


@pytest.fixture(scope="module")
def made(app: str, place: Place) -> Job:
    """A run that wrote a model."""
    del app
    return ended(place, save_model(place, RECIPE, "history").number)


@pytest.fixture(scope="module")
def broken(app: str, place: Place) -> Job:
    """A run that failed."""
    del app
    return ended(place, place.jobs.submit(place.request("verify", "nowhere.safetensors")).number)


def test_a_run_is_found_and_read(visit: Opening, made: Job, broken: Job) -> None:
    with visit("?tab=runs") as (page, _):
        rows = page.locator(".sd-runs tbody tr")
        expect(page.locator(f"tr[data-run='{made.number}']")).to_contain_text("MB")
        page.fill("#sd-find-run", "history merge")
        expect(rows).to_have_count(1)
        rows.first.click()
        card = page.locator(".sd-run")
        expect(card.locator("h3")).to_contain_text("history.safetensors")
        expect(card.locator(".lineage")).to_contain_text("ukiyoe")
        expect(card.locator(".lineage")).to_contain_text("linear")
        expect(card.locator("dl")).to_contain_text("sdmerge merge")
        shot(page, "runs")
        page.fill("#sd-find-run", "")
        page.locator(f"tr[data-run='{broken.number}']").click()
        expect(card.locator(".error")).to_contain_text("nowhere.safetensors")
        expect(card.get_by_role("button", name="Retry")).to_be_visible()
        shot(page, "failed")


TRIES = 4
"""A page that was just loaded again may miss a click; the next one arrives."""


def test_runs_are_marked_compared_and_forgotten(
    visit: Opening, place: Place, made: Job, broken: Job
) -> None:
    other = place.jobs.submit(
        place.request("plan", "{run}/recipe.yaml"), recipe=RECIPE.replace("linear", "slerp")
    )
    with visit("?tab=runs") as (page, _):
        rows = page.locator(".sd-runs tbody tr")
        other_row = page.locator(f"tr[data-run='{broken.number}']")
        other_row.evaluate("row => { row.known = true; }")
        mark = page.get_by_role("button", name=f"Mark run {made.number}")
        mark.click()
        expect(mark).to_have_attribute("aria-pressed", "true")
        assert other_row.evaluate("row => row.known")  # what did not change is not built anew
        page.locator("#sd-starred").check()
        expect(rows).to_have_count(1)
        page.reload()
        page.locator("#sd-starred").check()
        expect(rows).to_have_count(1)  # the mark lies with the run
        changes = page.locator(".sd-run .difference")
        for _ in range(TRIES):
            rows.first.click()
            with contextlib.suppress(AssertionError):
                expect(changes).to_be_visible(timeout=PATIENCE / TRIES)
                break
        page.select_option("#sd-against", str(other.number))
        expect(changes.locator("tbody tr")).to_have_count(1)
        expect(changes.locator("tbody tr")).to_have_text("merge_methodslerplinear")
        shot(page, "difference")
        page.locator("#sd-starred").uncheck()
        page.locator(f"tr[data-run='{broken.number}']").click()
        expect(page.locator(".sd-run")).to_contain_text("nowhere")
        page.get_by_role("button", name="Forget").click()
        expect(page.get_by_role("alertdialog")).to_contain_text("models that it wrote stay")
        page.click("#sd-forget")
        expect(page.locator(f"tr[data-run='{broken.number}']")).to_have_count(0)
        expect(page.locator(".sd-run")).to_contain_text("Choose a run")
    assert not broken.run.exists()
    assert made.run.is_dir()


def test_its_recipe_is_opened_and_run_again(visit: Opening, place: Place, made: Job) -> None:
    with visit("?tab=runs") as (page, _):
        page.locator(f"tr[data-run='{made.number}']").click()
        page.get_by_role("button", name="Run again").click()
        row = page.locator(".sd-runs tbody tr.done", has_text="history-2.safetensors")
        expect(row).to_be_visible()
        page.get_by_role("button", name="Verify file").click()
        expect(page.locator(".sd-runs tr.done", has_text=f"verify {made.number}")).to_be_visible()
        page.locator(".sd-run").get_by_role("button", name="Open in Merge").click()
        expect(page.locator(".model[data-model='japanese']")).to_be_visible()
    first, second = (place.workspace.models / f"history{end}.safetensors" for end in ("", "-2"))
    one, other = load_file(first), load_file(second)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_can_be_made_again_is_removed_when_asked(
    visit: Opening, place: Place, made: Job
) -> None:
    path = place.workspace.models / "history.safetensors"
    with visit("?tab=runs") as (page, _):
        page.locator(f"tr[data-run='{made.number}']").click()
        page.click("#sd-clean")
        asked = page.locator(".sd-runs .cleaning")
        expect(asked).to_contain_text("take up")
        expect(asked).to_contain_text("history.safetensors")
        shot(page, "clean")
        asked.get_by_role("button", name="Keep them").click()
        expect(asked).to_be_hidden()
        assert path.is_file()
        page.click("#sd-clean")
        page.click("#sd-remove")
        expect(asked).to_contain_text("freed")
        assert not path.exists()
        assert made.recipe.is_file()
        page.get_by_role("button", name="Make it again").click()
        expect(page.locator(f"tr[data-run='{made.number}']")).to_contain_text("MB")
    assert path.is_file()
