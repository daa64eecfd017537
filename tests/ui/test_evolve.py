"""A search in a browser: from the draft in five steps to its end, with a curve that moves."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from sdmerge_ui.place import Place

from .conftest import PATIENCE, Opening, shot

WINNER = re.compile(r"^(?![\s\S]*(search|evolve):)[\s\S]*merge_method:")
PROMPTS = "黒い背景に白い丸\n青い背景に黄色い四角\n赤い背景に緑の三角\n"


def step(page: Page, number: int) -> None:
    page.locator("#sd-steps [role=tab]").nth(number - 1).click()


def test_a_search_is_set_up_and_watched_to_its_end(visit: Opening, place: Place) -> None:
    expect.set_options(timeout=PATIENCE)
    with visit("?tab=merge") as (page, _):
        page.set_default_timeout(PATIENCE)
        page.wait_for_selector(".sd-ingredients .try")
        page.click(".sd-ingredients .try")
        expect(page.locator(".sd-plan .good")).to_be_visible(timeout=PATIENCE)
        page.get_by_role("tab", name="Evolve").click()
        expect(page.locator(".sd-parts dd").first).to_have_text("base")

        step(page, 2)
        for at in range(2):
            row = page.locator(f"[data-address='models[{at}].parameters.weight']")
            row.locator("input[type=checkbox]").first.check()
            expect(row).to_have_class("on")
        high = page.locator("[data-address='models[1].parameters.weight'] input[type=number]").nth(
            1
        )
        high.fill("1.25")
        high.press("Tab")
        shot(page, "evolve-space")

        step(page, 3)
        page.locator(".sd-scorers select[data-role=fitness]").select_option("clip")
        expect(page.locator("[data-scorer=clip]")).to_be_visible()
        page.get_by_text("Paste prompts").click()
        page.locator("#sd-lines textarea").fill(PROMPTS)
        page.locator("#sd-lines-name input, #sd-lines-name textarea").fill("tiny")
        page.click("#sd-keep-lines")
        chosen = page.locator("select[aria-label='validation prompts'] option:checked")
        expect(chosen).to_have_text("prompts/tiny-validation.txt")
        shot(page, "evolve-objective")

        step(page, 4)
        page.get_by_label("trials", exact=True).fill("8")
        page.get_by_label("trials", exact=True).press("Tab")
        population = page.locator("input[type=number][aria-label=population]")
        population.fill("2")
        population.press("Tab")
        page.get_by_label("steps", exact=True).fill("1")
        page.get_by_label("steps", exact=True).press("Tab")
        shot(page, "evolve-budget")

        step(page, 5)
        page.locator("#sd-study-name input, #sd-study-name textarea").fill("tiny")
        expect(page.locator(".sd-begin .error")).to_contain_text("population of 2")
        step(page, 4)
        population.fill("4")
        population.press("Tab")
        step(page, 5)
        facts = page.locator(".sd-begin dd")
        expect(facts.nth(1)).to_contain_text("4 candidates, 1 pictures each")
        shot(page, "evolve-check")
        page.click("#sd-evolve")
        page.click(".sd-study .add")  # while it searches: the draft, judged beside a generation
        told = page.locator(".sd-study .facts")
        expect(told).to_have_attribute("data-trials", "8")
        expect(told).to_contain_text("ended")
        expect(page.locator(".sd-study circle.point")).to_have_count(8)
        expect(page.locator(".sd-study path.added")).to_have_count(1)
        expect(page.locator(".sd-study .waiting")).to_have_count(0)
        expect(page.locator(".sd-study .level.parent")).to_have_count(3)
        expect(page.locator(".sd-study path.held")).to_have_count(1)
        expect(page.locator(".sd-study .tiles img").first).to_be_visible()
        assert page.evaluate("document.querySelector('.sd-study .tiles img').naturalWidth") > 0
        shot(page, "evolve")
        strong = page.locator(".sd-study .parallel .kept")
        expect(strong).to_have_count(1)
        page.locator(".sd-study select[aria-label*='strong']").select_option("100")
        expect(strong).to_have_count(8)
        axis = page.locator(".sd-study .hit").first.bounding_box()
        assert axis is not None
        page.mouse.move(axis["x"] + axis["width"] / 2, axis["y"] + 1)
        page.mouse.down()
        page.mouse.move(axis["x"] + axis["width"] / 2, axis["y"] + axis["height"] / 2, steps=3)
        page.mouse.up()
        expect(strong).not_to_have_count(8)

        page.click(".sd-study .open")
        expect(page.locator(".sd-plan .good")).to_be_visible(timeout=PATIENCE)
        page.get_by_role("button", name="Recipe as text").click()
        expect(page.locator("#sd-yaml textarea")).to_have_value(WINNER)
    assert (place.workspace.studies / "tiny" / "study.yaml").is_file()
