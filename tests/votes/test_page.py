"""Voting in a real Chromium: blind, by keys, from a disk and from the server."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import Said, address_of, chromium, opened
from grids import PROMPTS, TS, make_grid
from playwright.sync_api import Browser, Page

from sdmerge.sample.grid import read_cells
from sdmerge.sample.viewer import page as page_text
from sdmerge.sample.viewer import write_page
from sdmerge.votes import Game, add_votes, fit, rank, read_votes
from sdmerge.votes.ledger import read_lines
from sdmerge.votes.server import VoteServer

CHANCE = "() => { let n = 1; Math.random = () => (n = (n * 16807) % 2147483647) / 2147483647; }"
"""Chance that is the same in every run (Park and Miller's generator)."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_grid(tmp_path / "grid")


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    with opened(browser, address_of(write_page(folder), "view=vote")) as (one, _):
        one.wait_for_selector(".voting img")
        one.evaluate(CHANCE)
        yield one


def shown(page: Page) -> tuple[str, str]:
    """The files on the left and on the right."""
    left, right = page.locator(".voting .below img").evaluate_all(
        "(all) => all.map((one) => one.src)"
    )
    return left.rpartition("/")[2], right.rpartition("/")[2]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )


def saved(page: Page, tmp_path: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="save votes.jsonl").click()
    target = tmp_path / download.value.suggested_filename
    download.value.save_as(target)
    return target


def test_nothing_tells_the_two_apart(page: Page) -> None:
    for _ in range(8):
        text = page.locator("#viewer").inner_text()
        assert not re.search(r"\bt [\d.]", text)
        assert page.locator(".panel").is_hidden()
        alts = page.locator(".voting .below img").evaluate_all("(all) => all.map((one) => one.alt)")
        assert alts == ["left", "right"]
        assert page.url.partition("#")[2] == "view=vote"
        press(page, "ArrowLeft")


def test_a_pair_differs_in_what_is_compared_alone(page: Page, folder: Path) -> None:
    cells = {cell.id: cell for cell in read_cells(folder).values()}
    sides: list[float] = []
    for _ in range(12):
        one, two = (cells[name.removesuffix(".png")] for name in shown(page))
        assert (one.prompt, one.seed) == (two.prompt, two.seed)
        assert one.values["t"] != two.values["t"]
        assert f"prompt {one.prompt} · seed {one.seed}" in page.locator(".context").inner_text()
        sides.append(one.values["t"] - two.values["t"])
        press(page, "ArrowDown")
    assert min(sides) < 0 < max(sides)  # by chance on the left or the right
    page.locator(".foot select").select_option(label="seed")
    press(page, "x")
    one, two = (cells[name.removesuffix(".png")] for name in shown(page))
    assert (one.prompt, one.values["t"]) == (two.prompt, two.values["t"])
    assert one.seed != two.seed


def test_keys_write_what_was_chosen(page: Page, folder: Path, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    for key in ("ArrowLeft", "ArrowRight", "ArrowDown", "x"):
        asked.append(shown(page))
        press(page, key)
    page.locator(".choices button").first.click()
    press(page, "u", "ArrowUp", "a", "]", "t")  # other keys are no votes
    lines = read_lines(saved(page, tmp_path))
    votes = [entry for entry in lines if "id" in entry]
    assert [entry["choice"] for entry in votes] == ["left", "right", "tie", "bad", "left"]
    assert [(f"{e['left']}.png", f"{e['right']}.png") for e in votes[:4]] == asked
    assert [entry["undo"] for entry in lines if "undo" in entry] == [votes[4]["id"]]
    assert add_votes(folder, lines, "test") == 6
    assert len(read_votes(folder)) == 4
    assert page.locator(".progress").inner_text().startswith("pair 5")


def test_undo_asks_again(page: Page) -> None:
    before = shown(page)
    press(page, "ArrowLeft")
    press(page, "u")
    assert shown(page) == before
    assert page.locator(".progress").inner_text() == "pair 1"


def test_votes_outlive_the_page(page: Page) -> None:
    press(page, "ArrowLeft", "ArrowRight")
    page.reload()
    page.wait_for_selector(".voting img")
    assert page.locator(".progress").inner_text().startswith("pair 3")


def test_both_zoom_together(page: Page) -> None:
    box = page.locator(".voting .frame").first.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 200)
    page.mouse.wheel(0, -500)
    press(page, "Shift")
    moved = page.locator(".voting .below img").evaluate_all(
        "(all) => all.map((one) => one.style.transform)"
    )
    assert moved[0] == moved[1]
    assert "scale(1)" not in moved[0]


def test_the_page_ranks_as_python_does(page: Page) -> None:
    """The same votes, the same strengths, covariance and intervals, to rounding."""
    dice = np.random.default_rng(3)
    for count in (1, 4, 30):
        games = [
            (int(i), int(j), float(dice.choice([0.0, 0.5, 1.0])))
            for i, j in (dice.choice(len(TS), 2, replace=False) for _ in range(count))
        ]
        lines = page.evaluate(
            "([count, games]) => sdmergeViewer.fit(count, games)", [len(TS), games]
        )
        expected = fit(len(TS), [Game(*game) for game in games])
        assert lines["theta"] == pytest.approx(expected.theta.tolist(), abs=1e-8)
        assert np.array(lines["covariance"]) == pytest.approx(expected.covariance, abs=1e-8)
        rates = [[one["rate"], one["low"], one["high"]] for one in lines["rates"]]
        assert np.array(rates) == pytest.approx(expected.win_rates(), abs=1e-8)
        assert (lines["more"] == 0) == expected.settled()


def test_standings_are_those_of_the_command(page: Page, folder: Path, tmp_path: Path) -> None:
    """Someone who likes t = 0.5 best and says so nine times of ten."""
    cells = {f"{cell.id}.png": cell for cell in read_cells(folder).values()}
    dice = np.random.default_rng(5)
    for _ in range(25):
        left, right = (cells[name].values["t"] for name in shown(page))
        likes_left = abs(left - 0.5) < abs(right - 0.5)
        press(page, "ArrowLeft" if (dice.random() < 0.9) == likes_left else "ArrowRight")
    page.get_by_label("show standings").check()
    add_votes(folder, read_lines(saved(page, tmp_path)), "test")
    found = rank(folder, "t")
    rows = [row.split("\t") for row in page.locator(".standings tr").all_inner_texts()]
    expected = {
        one.label: "{} % ({}–{})".format(*(round(100 * x) for x in (one.rate, one.low, one.high)))
        for one in found.standings
    }
    assert {row[0].strip(): row[-1].strip() for row in rows} == expected
    rates = [int(row[-1].partition(" %")[0]) for row in rows]
    assert rates == sorted(rates, reverse=True)


def test_it_asks_where_it_knows_least(browser: Browser, folder: Path) -> None:
    """Four have met often, and one is the best of them; the fifth has met none."""
    cells = {
        (cell.values["t"], cell.prompt, cell.seed): cell for cell in read_cells(folder).values()
    }
    files = {cell.file.rpartition("/")[2]: cell for cell in cells.values()}
    known = [(0.5, t) for t in (0.0, 0.25, 0.75)] + [(0.0, 0.25), (0.25, 0.75), (0.75, 0.0)]
    lines = [
        {
            "id": f"{number:016x}", "left": cells[one, PROMPTS[number % 3], 7].id,
            "right": cells[two, PROMPTS[number % 3], 7].id, "choice": "left", "at": "now",
        }
        for number, (one, two) in enumerate(known * 8)
    ]  # fmt: skip
    path = folder / "grid.html"
    path.write_text(page_text(folder, votes=lines), "utf-8")
    with opened(browser, address_of(path, "view=vote")) as (page, _):
        page.wait_for_selector(".voting img")
        for _ in range(6):
            values = {files[name].values["t"] for name in shown(page)}
            assert values == {0.5, 1.0}
            press(page, "x")  # tells nothing of the order


def test_one_picture_is_nothing_to_vote_on(browser: Browser, tmp_path: Path) -> None:
    folder = make_grid(tmp_path, ts=(0.5,), prompts=PROMPTS[:1], seeds=(7,))
    with opened(browser, address_of(write_page(folder), "view=vote")) as (page, _):
        assert "Nothing to compare" in page.locator(".voting").inner_text()
        press(page, "ArrowLeft", "u", "x")


# served


@pytest.fixture
def server(folder: Path) -> Iterator[VoteServer]:
    with VoteServer(folder) as started:
        thread = threading.Thread(target=started.serve_forever, args=(0.01,))
        thread.start()
        yield started
        started.shutdown()
        thread.join()


@pytest.fixture
def served(browser: Browser, server: VoteServer) -> Iterator[tuple[Page, Said]]:
    with opened(browser, server.url, offline=False) as both:
        both[0].wait_for_selector(".voting img")
        yield both


def test_served_votes_are_written_at_once(
    served: tuple[Page, Said], server: VoteServer, folder: Path
) -> None:
    page, said = served
    for number, key in enumerate(("ArrowLeft", "ArrowDown", "x"), 1):
        with page.expect_response("**/votes") as answer:
            press(page, key)
        assert answer.value.status == 204
        assert len(read_votes(folder)) == number
    with page.expect_response("**/votes"):
        press(page, "u")
    assert [vote.choice for vote in read_votes(folder)] == ["left", "tie"]
    page.reload()
    page.wait_for_selector(".voting img")
    assert page.locator(".progress").inner_text().startswith("pair 3")
    assert page.get_by_role("button", name="save votes.jsonl").count() == 0
    assert {url.partition("/" + server.word)[0] for url in said.requests} == {
        f"http://{server.host}"
    }


def test_a_server_that_is_gone_loses_no_vote(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    with VoteServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with opened(browser, server.url, offline=False) as (page, said):
            page.wait_for_selector(".voting img")
            page.context.set_offline(True)
            press(page, "ArrowLeft")
            page.wait_for_selector(".warning")
            assert [
                json.loads(text)["choice"]
                for text in saved(page, tmp_path).read_text().splitlines()
            ] == ["left"]
            assert all("net::ERR_" in line for line in said.errors), said.errors
            said.errors.clear()
        server.shutdown()
        thread.join()
