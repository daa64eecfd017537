"""Pictures from near in a real Chromium: flip, divider, difference, zoom, pan."""

from __future__ import annotations

import pytest
from grids import TS, colour
from playwright.sync_api import Page

from sample.viewer.pages import cell_colour, drawn, middle, name, pixel, press, selected


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
