"""The page as it is opened in a real Chromium: its address, languages, exports, odd grids."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from chromium import Said, address_of, opened
from grids import PROMPTS, TS, colour, make_grid
from playwright.sync_api import Browser, Page

from sample.viewer.pages import address, cell_colour, drawn, labels, name, pixel, press
from sdmerge import jsonl
from sdmerge.sample.grid import CELLS, Axis, Cell, Grid, append_cell, create, read_cells
from sdmerge.sample.viewer import export, write_page


def test_the_address_holds_what_is_seen(browser: Browser, written: Path, page: Page) -> None:
    assert address(page) == ""
    press(
        page, "ArrowRight", "ArrowRight", "a", "ArrowRight", "]", "h", "s", "t", "+", "z", "i", "d"
    )
    words = address(page)
    seen = page.locator("#viewer").inner_text()
    state = page.evaluate("sdmergeViewer.state")
    with opened(browser, address_of(written, words)) as (other, _):
        other.wait_for_function(
            "seen => document.getElementById('viewer').innerText === seen", arg=seen
        )
        again = other.evaluate("sdmergeViewer.state")
        for field in ("view", "x", "y", "at", "cell", "a", "b", "show", "sort", "lock", "zoom"):
            assert again[field] == state[field], field
        assert again["difference"] is True


def test_addresses_that_make_no_sense(browser: Browser, written: Path) -> None:
    words = (
        "view=moon&x=t&y=t&cell=none&size=1e9&zoom=a,b,c&score=<b>&at.seed=99&sort=&lock=x&divider="
    )
    with opened(browser, address_of(written, words)) as (page, _):
        page.wait_for_selector(".cell img")
        state = page.evaluate("sdmergeViewer.state")
        assert (state["view"], state["x"], state["y"], state["size"]) == ("grid", 0, 1, 640)
        assert state["zoom"] == {"scale": 1, "x": 0.5, "y": 0.5}
        page.evaluate("location.hash = 'view=one&cell=' + sdmergeViewer.grid.cells[3].id")
        page.wait_for_selector(".frame")


def test_every_key_before_anything_is_chosen(page: Page) -> None:
    for key in "abcdhilstvxz[]{},.+-0":
        page.keyboard.press(key)
        page.keyboard.press("Escape")
    for key in ("Enter", " ", "c", "d", "v", "x", "u", "Escape"):
        press(page, key)


def test_help_lists_the_keys(page: Page) -> None:
    press(page, "?")
    assert page.locator("dialog").is_visible()
    text = page.locator("dialog").inner_text()
    assert all(key in text for key in ("space", "difference", "blind vote"))
    press(page, "s")
    assert page.evaluate("sdmergeViewer.state.sort") == "given"
    press(page, "Escape")
    assert not page.locator("dialog").is_visible()


def test_japanese_and_dark(browser: Browser, written: Path) -> None:
    options = {"locale": "ja-JP", "color_scheme": "dark"}
    with opened(browser, address_of(written), **options) as (page, _):
        assert page.locator(".views").inner_text().split("\n") == ["一覧", "拡大", "A | B", "投票"]
        assert max(pixel(page, 640, 5)) < 60
        page.get_by_role("button", name="English").click()
        page.get_by_role("button", name="light or dark").click()
        page.get_by_role("button", name="light or dark").click()
        drawn(page)
        assert min(pixel(page, 640, 5)) > 200
        page.reload()
        page.wait_for_selector(".cell img")
        assert page.locator(".count").text_content() == "30 pictures"
        assert min(pixel(page, 640, 5)) > 200


@pytest.mark.parametrize("single", [False, True])
def test_an_export_needs_nothing_else(
    browser: Browser, folder: Path, tmp_path: Path, single: bool
) -> None:
    target = export(folder, tmp_path / ("x.html" if single else "x"), single_file=single)
    with opened(browser, address_of(target)) as (page, said):
        page.wait_for_selector(".cell img")
        assert cell_colour(page, name(0.75, 1)) == colour(0.75, 1, 7)
        assert_only_pictures(said, single=single)


def assert_only_pictures(said: Said, *, single: bool) -> None:
    assert all(url.startswith(("data:", "file:")) for url in said.requests)
    files = [url for url in said.requests if url.startswith("file:")]
    assert (len(files) == 1) is single


NASTY = (
    "</script><script>document.title = 'hacked'</script>",
    "<img src=x onerror=\"document.title = 'hacked'\">",
    '"><svg onload=document.title="hacked">',
    "javascript:document.title='hacked'",
)


def test_nothing_a_grid_says_is_run(browser: Browser, tmp_path: Path) -> None:
    folder = make_grid(tmp_path, prompts=NASTY, ts=(0.0, 1.0), seeds=(1,))
    axes = (Axis("t", (0.0, 1.0)), Axis(NASTY[1], NASTY))
    create(folder, Grid(axes, NASTY[0], NASTY[1], {NASTY[1]: NASTY[2]}))
    for cell in list(read_cells(folder).values()):
        values = {"t": cell.values["t"], NASTY[1]: cell.prompt}
        append_cell(
            folder,
            Cell(f"{cell.id}<b>", values, cell.prompt, 1, cell.file, NASTY[1], {NASTY[1]: 1.0}),
        )
    with opened(browser, address_of(write_page(folder))) as (page, said):
        page.wait_for_selector(".cell img")
        press(page, "ArrowRight", "ArrowDown", "a", "ArrowRight")
        for key in ("Enter", "c", "v", "Escape", "h", "s", "s", "t"):
            press(page, key)
        assert page.title() == NASTY[0]
        assert page.locator("h1").text_content() == NASTY[0]
        assert page.locator("#viewer script, #viewer svg, #viewer [onerror]").count() == 0
        # and if markup did get in, the page's policy would not let it run
        page.evaluate(
            """() => { const node = document.createElement("img");
            node.setAttribute("onerror", "document.title = 'hacked'"); node.src = "data:,";
            document.body.append(node); }"""
        )
        drawn(page)
        assert page.title() == NASTY[0]
        assert [line for line in said.errors if "Content Security Policy" in line] == said.errors
        assert said.errors
        said.errors.clear()


def many(folder: Path) -> Path:
    """2,000 cells that share a few pictures."""
    make_grid(folder, prompts=("x",), ts=TS, seeds=(1,))
    files = [cell.file for cell in read_cells(folder).values()]
    columns, rows = tuple(range(40)), tuple(range(50))
    create(folder, Grid((Axis("column", columns), Axis("row", rows)), "many"))
    lines = [
        Cell(f"{x}-{y}", {"column": x, "row": y}, f"p {y}", 0, files[(x + y) % 5], "", {"s": x * y})
        for y in rows
        for x in columns
    ]
    jsonl.append(folder / CELLS, *map(dataclasses.asdict, lines))
    return write_page(folder)


def test_two_thousand_cells(browser: Browser, tmp_path: Path) -> None:
    """Only what is in sight is in the document, wherever one scrolls."""
    with opened(browser, address_of(many(tmp_path), "size=96")) as (page, _):
        page.wait_for_selector(".cell img")
        counts = page.evaluate(
            """async () => {
              const scroller = document.querySelector(".scroller");
              const frame = () => new Promise(requestAnimationFrame);
              const most = { cells: 0, all: 0 };
              for (let step = 0; step < 30; step++) {
                scroller.scrollTo(step * 100, step * 160);
                await frame();
                most.cells = Math.max(most.cells, document.querySelectorAll(".cell").length);
                most.all = Math.max(most.all, document.querySelectorAll("*").length);
              }
              return most;
            }"""
        )
        width, height = page.locator(".scroller").evaluate(
            "(one) => [one.clientWidth, one.clientHeight]"
        )
        assert counts["cells"] <= (width // 98 + 4) * (height // 98 + 4)
        assert counts["all"] < 2000
        corner = page.locator(".cell").last.get_attribute("data-id")
        assert corner == "39-49"
        press(page, "s", "s")
        assert page.locator(".cell").first.get_attribute("data-id") == "39-49"
        assert page.locator(".cell").count() < 200
        sticky = page.locator(".scroller")
        press(page, "s")
        sticky.evaluate("(one) => one.scrollTo(2000, 3000)")
        drawn(page)
        assert labels(page, "heads")[0] != "0"
        top = page.locator(".heads").bounding_box()["y"]
        assert top == pytest.approx(sticky.bounding_box()["y"], abs=1)


def test_a_grid_that_is_still_being_drawn(browser: Browser, tmp_path: Path) -> None:
    create(tmp_path, Grid((Axis("t", TS), Axis("prompt", PROMPTS)), ""))
    with opened(browser, address_of(write_page(tmp_path))) as (page, _):
        assert "No pictures yet" in page.locator("#viewer").inner_text()
        for key in ("ArrowRight", "Enter", "c", "d", "v", "s"):
            press(page, key)
    make_grid(tmp_path, seeds=(7,))
    gone = [cell for cell in read_cells(tmp_path).values() if cell.values["t"] == 0.5]
    for cell in gone:
        (tmp_path / cell.file).unlink()
    append_cell(tmp_path, gone[0])
    with_errors = pytest.raises(AssertionError, match="ERR_FILE_NOT_FOUND")
    with with_errors, opened(browser, address_of(write_page(tmp_path))) as (page, _):
        page.wait_for_selector(".cell.broken")
        press(page, "ArrowRight", "Enter", "ArrowRight", "ArrowRight")
        assert page.locator(".closeup .caption.b").is_visible()
