"""The table in a real Chromium: labels, keys, axes, order, scores."""

from __future__ import annotations

import re

from grids import PROMPTS, SEEDS, TS, colour, score
from playwright.sync_api import Page

from sample.viewer.pages import cell_colour, drawn, labels, middle, name, pixel, press, selected


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
