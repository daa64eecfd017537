"""Grids in a browser: drawn of the draft, looked at, opened in Merge, voted on, kept in."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from grids import make_grid
from playwright.sync_api import Page, expect
from sdmerge_ui.place import Place

from sdmerge.sample.grid import read_cells
from sdmerge.votes import read_votes

from .conftest import PATIENCE, Opening, shot


@pytest.fixture(autouse=True)
def _patient() -> None:
    expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def grid(place: Place) -> Path:
    """A grid of 5 × 3 × 2 flat pictures."""
    return make_grid(place.workspace.folder / "grids" / "colours")


def begun(page: Page) -> None:
    """The draft of the first recipe, on the tab."""
    page.click(".sd-ingredients .try")
    expect(page.locator(".sd-plan .good")).to_be_visible()
    page.get_by_role("tab", name="Compare").click()


def test_a_grid_of_the_draft(visit: Opening, place: Place) -> None:
    with visit("?tab=merge") as (page, _):
        begun(page)
        page.get_by_role("button", name="New grid").first.click()
        form = page.locator(".sd-axes")
        expect(form.get_by_label("left to right", exact=True)).not_to_have_value("")
        form.get_by_label("left to right step").fill("2")
        form.get_by_label("Prompts, a line each").fill("a boat\na castle")
        form.get_by_label("Steps").fill("1")
        expect(form).to_contain_text("4 pictures of 2 merges")
        shot(page, "axes")
        form.get_by_label("left to right step").fill("0")
        expect(form.get_by_role("alert")).to_contain_text("is an empty range")
        form.get_by_label("left to right step").fill("2")
        expect(form).to_contain_text("4 pictures of 2 merges")
        page.click("#sd-draw-grid")
        expect(page.locator(".sd-viewer")).to_contain_text("4 of 4 pictures")
        viewer = page.frame_locator("iframe.grid")
        expect(viewer.locator("td img, .cell img, canvas").first).to_be_visible()
        shot(page, "compare")
        job = place.jobs.all()[-1]
        before = read_cells(job.run / "grid")
        page.click("#sd-more")
        expect(form.locator(".adds")).to_contain_text(job.run.name)
        expect(form.get_by_label("Prompts, a line each")).to_have_value("a boat\na castle")
        form.get_by_label("Prompts, a line each").fill("a boat\na castle\na hut")
        expect(form).to_contain_text("6 pictures of 2 merges")
        page.click("#sd-draw-grid")
        expect(page.locator(".sd-viewer")).to_contain_text("6 of 6 pictures")
        expect(page.locator(f".job.done[data-job='{job.number + 1}']")).to_be_attached()
        assert read_cells(job.run / "grid").items() >= before.items()  # nothing was drawn again
    assert job.kind == "grid"
    cells = read_cells(job.run / "grid").values()
    assert {cell.prompt for cell in cells} == {"a boat", "a castle", "a hut"}
    assert len({cell.recipe_id for cell in cells}) == 2


def test_votes_are_kept_in_the_grid(visit: Opening, grid: Path) -> None:
    with visit("?tab=compare&grid=grids~colours") as (page, _):
        viewer = page.frame_locator("iframe.grid")
        expect(viewer.get_by_text("30")).not_to_have_count(0)
        page.click("#sd-vote")
        expect(viewer.get_by_text("pair 1")).to_be_visible()
        for key in ("ArrowLeft", "ArrowRight", "ArrowDown", "x", "u"):
            page.keyboard.press(key)
        expect(page.locator(".sd-ranking summary")).to_contain_text("3 votes")
        page.locator(".sd-ranking summary").click()
        expect(page.locator(".sd-ranking tr")).not_to_have_count(0)
        expect(page.locator(".sd-ranking")).to_contain_text("Not settled yet")
        shot(page, "vote")
    assert [vote.choice for vote in read_votes(grid)] == ["left", "right", "tie"]


def test_a_picture_opens_its_recipe(visit: Opening, grid: Path) -> None:
    cell = next(iter(read_cells(grid)))
    with visit("?tab=compare&grid=grids~colours") as (page, _):
        viewer = page.frame_locator("iframe.grid")
        expect(viewer.get_by_text("30")).not_to_have_count(0)
        page.click("#sd-open-cell")
        expect(page.locator(".sd-viewer")).to_contain_text("Select a picture first.")
        page.frames[1].evaluate(f"sdmergeViewer.select('{cell}')")
        page.click("#sd-open-cell")
        expect(page.get_by_role("tab", name="Merge")).to_have_attribute("aria-selected", "true")
        page.get_by_role("button", name="Recipe as text").click()
        expect(page.locator("#sd-yaml textarea")).to_have_value(re.compile("merge_method"))


def answer(address: str, **options: object) -> tuple[int, str]:
    """Status and policy of an answer."""
    asked = urllib.request.Request(address, **options)  # type: ignore[arg-type]
    try:
        with urllib.request.urlopen(asked) as found:
            return found.status, found.headers.get("Content-Security-Policy", "")
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_only_grids_are_given_out(app: str, grid: Path, place: Place) -> None:
    (place.workspace.folder / "secret.png").write_bytes(b"secret")
    status, policy = answer(f"{app}/grids/grids~colours/")
    assert status == 200
    assert "frame-ancestors 'self'" in policy
    file = next(iter(read_cells(grid).values())).file
    assert answer(f"{app}/grids/grids~colours/{file}")[0] == 200
    for path in ("grid.yaml", "..%2F..%2Fsecret.png", "cells.jsonl", "../../secret.png"):
        assert answer(f"{app}/grids/grids~colours/{path}")[0] == 404, path
    assert answer(f"{app}/grids/..~..~etc/")[0] == 404


def test_votes_come_from_the_page_alone(app: str, grid: Path) -> None:
    before = read_votes(grid)
    left, right = list(read_cells(grid))[:2]
    line = f'{{"id":"{"a" * 16}","left":"{left}","right":"{right}","choice":"left","at":"now"}}'
    address, kind = f"{app}/grids/grids~colours/votes", {"Content-Type": "application/json"}
    for headers in (
        {**kind, "Origin": "http://elsewhere.example"},
        {"Origin": app, "Content-Type": "text/plain"},
        kind,
    ):
        assert answer(address, data=line.encode(), headers=headers)[0] == 404
    wrong = line.replace(right, "f" * 16).encode()
    assert answer(address, data=wrong, headers={**kind, "Origin": app})[0] == 400
    assert read_votes(grid) == before
