"""The viewer in a real Chromium, from a disk, with no network: keys, zoom, order, address."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Said, address_of, chromium, opened
from grids import PROMPTS, SEEDS, TS, colour, make_grid, score
from PIL import Image
from playwright.sync_api import Browser, Page

from sdmerge import jsonl
from sdmerge.sample.grid import CELLS, Axis, Cell, Grid, append_cell, create, read_cells
from sdmerge.sample.viewer import export, write_page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_grid(tmp_path_factory.mktemp("viewer") / "a #grid?")


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    return write_page(folder)


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[tuple[Page, Said]]:
    """One page for the tests of this file: a new one takes longer than most of them."""
    with opened(browser, "about:blank") as both:
        yield both


@pytest.fixture
def page(shared: tuple[Page, Said], written: Path) -> Iterator[Page]:
    """The grid, freshly opened; what the page complains of fails the test."""
    one, said = shared
    one.goto("about:blank")
    one.goto(address_of(written))
    one.mouse.move(0, 0)
    one.wait_for_selector(".cell img")
    yield one
    assert not said.errors, said.errors
    assert all(url.startswith(("file:", "data:")) for url in said.requests)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    drawn(page)


def drawn(page: Page) -> None:
    """Two frames later: whatever was asked for has been drawn."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def address(page: Page) -> str:
    page.wait_for_timeout(200)  # it is written when nothing has changed for a while
    return page.url.partition("#")[2]


def selected(page: Page) -> str:
    return page.locator(".cell.selected img").first.get_attribute("alt") or ""


def labels(page: Page, side: str) -> list[str]:
    boxes = page.locator(f".{side} .label").evaluate_all(
        "(all) => all.map((one) => [one.offsetLeft + one.offsetTop, one.textContent])"
    )
    return [text for _, text in sorted(boxes)]


def pixel(page: Page, x: float, y: float) -> tuple[int, int, int]:
    """The colour on the screen."""
    shot = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    return Image.open(io.BytesIO(shot)).convert("RGB").getpixel((0, 0))  # type: ignore[return-value]


def middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).first.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def cell_colour(page: Page, alt: str) -> tuple[int, int, int]:
    x, y = middle(page, f'.cell:has(img[alt="{alt}"])')
    return pixel(page, x + 20, y + 20)


def name(t: float, prompt: int = 0, seed: int = 7) -> str:
    return f"t {t:g}, prompt {PROMPTS[prompt]}, seed {seed}"


def test_every_picture_stands_under_its_labels(page: Page) -> None:
    assert labels(page, "heads") == ["0", "0.25", "0.5", "0.75", "1"]
    assert labels(page, "sides") == list(PROMPTS)
    for row in range(3):
        for t in TS:
            assert cell_colour(page, name(t, row)) == colour(t, row, 7)
            box = page.locator(f'.cell:has(img[alt="{name(t, row)}"])').bounding_box()
            head = page.locator(".heads .label", has_text=re.compile(f"^{t:g}$")).bounding_box()
            assert abs(box["x"] - head["x"]) < 1
    assert page.locator(".count").text_content() == "30 pictures"


def test_arrows_move_and_stop_at_the_edge(page: Page) -> None:
    press(page, "ArrowRight")
    assert selected(page) == name(0)
    press(page, "ArrowRight", "ArrowRight", "ArrowDown")
    assert selected(page) == name(0.5, 1)
    press(page, *["ArrowRight"] * 9, *["ArrowDown"] * 9)
    assert selected(page) == name(1, 2)
    assert page.locator(".panel .prompt").text_content() == PROMPTS[2]


def test_keys_do_nothing_while_something_is_chosen(page: Page) -> None:
    page.locator(".top select").first.focus()
    press(page, "ArrowDown")
    assert page.locator(".cell.selected").count() == 0


def test_the_third_axis(page: Page) -> None:
    press(page, "ArrowRight", "ArrowRight", "]")
    assert selected(page) == name(0.25, 0, 8)
    assert cell_colour(page, name(1, 2, 8)) == colour(1, 2, 8)
    press(page, "]")
    assert selected(page) == name(0.25, 0, 7)
    press(page, "[")
    assert selected(page) == name(0.25, 0, 8)


def test_axes_swap_and_change(page: Page) -> None:
    press(page, "t")
    assert labels(page, "heads") == list(PROMPTS)
    assert labels(page, "sides") == ["0", "0.25", "0.5", "0.75", "1"]
    assert cell_colour(page, name(0.75, 2)) == colour(0.75, 2, 7)
    page.locator(".tools select").first.select_option(label="seed")
    drawn(page)
    assert labels(page, "heads") == ["7", "8"]
    assert cell_colour(page, name(0.75, 0, 8)) == colour(0.75, 0, 8)
    page.locator(".tools select").nth(1).select_option(label="none")
    drawn(page)
    assert page.locator(".cell").count() == 2


def test_order_by_score(page: Page) -> None:
    press(page, "s")
    means = {t: sum(score(t, row, 7) for row in range(3)) for t in TS}
    assert labels(page, "heads") == [f"{t:g}" for t in sorted(TS, key=lambda t: -means[t])]
    assert labels(page, "sides") == [PROMPTS[2], PROMPTS[1], PROMPTS[0]]
    assert cell_colour(page, name(0.25, 1)) == colour(0.25, 1, 7)
    press(page, "s")
    everything = [(score(t, p, s), name(t, p, s)) for t in TS for p in range(3) for s in SEEDS]
    boxes = page.locator(".cell").evaluate_all(
        """(all) => all.map((one) => {
            const { x, y } = one.getBoundingClientRect();
            return [y, x, one.querySelector("img").alt];
        })"""
    )
    shown = [alt for _, _, alt in sorted(boxes)]
    scores = {alt: value for value, alt in everything}
    assert [scores[alt] for alt in shown] == sorted(scores.values(), reverse=True)[: len(shown)]
    assert len(shown) == 30
    press(page, "s")
    assert labels(page, "heads")[0] == "0"


def test_scores_as_number_outline_heat_or_not(page: Page) -> None:
    best = page.locator(f'.cell:has(img[alt="{name(0.5, 2)}"])')
    assert best.locator(".score").text_content() == f"{score(0.5, 2, 7):.4f}".lstrip("0")
    x, y = middle(page, f'.cell:has(img[alt="{name(0.5, 2, 7)}"])')
    press(page, "h")
    assert best.locator(".score").text_content() == ""
    edge = best.bounding_box()
    assert pixel(page, edge["x"] + 1, edge["y"] + 60)[2] < 90  # cividis ends in yellow
    press(page, "h")
    tinted = pixel(page, x + 30, y + 30)
    assert tinted != colour(0.5, 2, 7)
    assert tinted[0] > tinted[2]
    press(page, "h")
    assert pixel(page, x + 30, y + 30) == colour(0.5, 2, 7)
    assert best.locator(".score").text_content() == ""
    page.locator("select", has_text="aesthetic").select_option("aesthetic")
    press(page, "h")
    assert page.locator(f'.cell:has(img[alt="{name(0.25)}"]) .score').text_content() == "5.00"


def test_space_flips_to_a_while_it_is_held(page: Page) -> None:
    press(page, "ArrowRight", "a", "ArrowRight", "ArrowRight")
    x, y = middle(page, ".cell.selected")
    page.keyboard.down(" ")
    drawn(page)
    page.wait_for_function("document.querySelector('.cell.selected .window img + img')?.complete")
    assert pixel(page, x + 30, y + 30) == colour(0, 0, 7)
    page.keyboard.up(" ")
    drawn(page)
    assert pixel(page, x + 30, y + 30) == colour(0.5, 0, 7)
    press(page, "Enter")
    x, y = middle(page, ".frame")
    assert pixel(page, x, y) == colour(0.5, 0, 7)
    page.keyboard.down(" ")
    drawn(page)
    assert pixel(page, x, y) == colour(0, 0, 7)
    assert page.locator(".caption.a").text_content().startswith(f"A{name(0)}")
    page.keyboard.up(" ")
    press(page, "ArrowRight")
    assert pixel(page, x, y) == colour(0.75, 0, 7)
    press(page, "Escape")
    assert page.locator(".cell.selected").count() == 1


def test_without_a_pin_space_shows_what_was_before(page: Page) -> None:
    press(page, "ArrowRight", "ArrowRight", "Enter")
    x, y = middle(page, ".frame")
    page.keyboard.down(" ")
    drawn(page)
    assert pixel(page, x, y) == colour(0, 0, 7)


def test_a_divider_between_a_and_b(page: Page) -> None:
    press(page, "ArrowRight", "a", "ArrowRight", "b", "ArrowRight", "c")
    x, y = middle(page, ".frame")
    assert pixel(page, x - 60, y) == colour(0, 0, 7)
    assert pixel(page, x + 60, y) == colour(0.25, 0, 7)
    page.mouse.move(x, y - 100)
    page.mouse.down()
    page.mouse.move(x + 120, y - 100, steps=4)
    page.mouse.up()
    drawn(page)
    assert pixel(page, x + 60, y) == colour(0, 0, 7)
    press(page, *[","] * 20)
    assert pixel(page, x - 60, y) == colour(0.25, 0, 7)


def test_the_difference(page: Page) -> None:
    """|A - cell| times the gain, in the grid against the cell of A's column."""
    press(page, "ArrowRight", "a", "ArrowRight", "d")
    gain = 4
    for t, row in ((0.25, 0), (0.5, 2), (0, 1)):
        seen = cell_colour(page, name(t, row))
        expected = [
            min(255, gain * abs(one - two))
            for one, two in zip(colour(t, row, 7), colour(0, row, 7), strict=True)
        ]
        assert max(abs(one - two) for one, two in zip(seen, expected, strict=True)) <= gain
    press(page, "Enter")
    x, y = middle(page, ".frame")
    assert pixel(page, x, y)[0] == pytest.approx(gain * 50, abs=gain)
    assert pixel(page, x, y)[1:] == (0, 0)


def test_zoom_is_locked_over_all_pictures(page: Page) -> None:
    x, y = middle(page, f'.cell:has(img[alt="{name(0)}"])')
    page.mouse.move(x - 60, y - 60)  # into the dark corner
    page.keyboard.down("Control")
    for _ in range(8):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    drawn(page)
    dark = [tuple(part // 2 for part in colour(t, 1, 7)) for t in TS]
    assert [cell_colour(page, name(t, 1)) for t in TS] == dark
    boxes = page.locator(".window img").evaluate_all(
        """(all) => all.map((one) => {
            const inner = one.getBoundingClientRect();
            const outer = one.closest(".cell").getBoundingClientRect();
            return [inner.x - outer.x, inner.y - outer.y, inner.width].map(Math.round).join();
        })"""
    )
    assert len(set(boxes)) == 1
    assert int(boxes[0].split(",")[2]) > 400
    press(page, "0")
    assert cell_colour(page, name(0, 1)) == colour(0, 1, 7)


def test_drag_pans_all_of_them(page: Page) -> None:
    press(page, "ArrowRight", "+", "+", "+")
    x, y = middle(page, f'.cell:has(img[alt="{name(0.5, 1)}"])')
    assert cell_colour(page, name(0, 0)) == colour(0, 0, 7)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 300, y + 300, steps=5)
    page.mouse.up()
    drawn(page)
    assert cell_colour(page, name(0, 0)) == tuple(part // 2 for part in colour(0, 0, 7))
    assert selected(page) == name(0)  # a drag is no click


def test_without_the_lock_one_picture_zooms(page: Page) -> None:
    press(page, "z", "ArrowRight", "+", "+")
    scales = page.locator(".window").evaluate_all(
        '(all) => all.map((one) => one.style.getPropertyValue("--scale"))'
    )
    assert sorted(set(scales)) == ["1", "2.25"]
    assert scales.count("2.25") == 1
    press(page, "z")
    scales = page.locator(".window").evaluate_all(
        '(all) => all.map((one) => one.style.getPropertyValue("--scale"))'
    )
    assert set(scales) == {"2.25"}


def test_the_address_holds_what_is_seen(browser: Browser, written: Path, page: Page) -> None:
    assert address(page) == ""
    press(
        page, "ArrowRight", "ArrowRight", "a", "ArrowRight", "]", "h", "s", "t", "+", "z", "i", "d"
    )
    words = address(page)
    seen = page.locator("#viewer").inner_text()
    state = page.evaluate("sdmergeViewer.state")
    with opened(browser, address_of(written, words)) as (other, _):
        other.wait_for_selector(".cell img")
        assert other.locator("#viewer").inner_text() == seen
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
