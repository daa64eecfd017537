"""The workbench in a browser: from models to a file that diffusers loads."""

from __future__ import annotations

import re

import pytest
from diffusers import DiffusionPipeline
from playwright.sync_api import Page, expect
from sdmerge_ui.place import Place

from .conftest import PATIENCE, Opening, shot


@pytest.fixture(autouse=True)
def _patient() -> None:
    expect.set_options(timeout=PATIENCE)


def add(page: Page, name: str) -> None:
    """Another ingredient, by the menu."""
    page.wait_for_selector(f"#sd-add option[value='{name}']", state="attached", timeout=PATIENCE)
    page.select_option("#sd-add", name)
    expect(page.locator(f".model[data-model='{name}']")).to_be_visible()


def text(page: Page) -> str:
    return page.locator("#sd-yaml textarea").input_value()


def say_plan(page: Page, said: str) -> None:
    expect(page.locator(".sd-plan")).to_contain_text(said)


def test_from_models_to_a_file(visit: Opening, place: Place) -> None:
    with visit() as (page, _):
        page.locator("tr[data-model='base']").click()
        expect(page.locator(".sd-details")).to_contain_text("Stable Diffusion 1")
        shot(page, "models")
        page.get_by_role("button", name="Use as base").click()
        expect(page.locator(".model.base")).to_contain_text("base")
        assert "tab=merge" in page.url
        add(page, "ukiyoe")
        add(page, "torii.safetensors")
        page.select_option("#sd-method", "task_arithmetic")
        say_plan(page, "Ready")

        page.get_by_label("Preview as I change").check()
        page.click("#sd-preview")
        pictures = page.locator(".sd-pictures .tiles img")
        expect(pictures).to_have_count(3)
        assert "seed 7" in str(pictures.first.get_attribute("alt"))
        before = str(pictures.first.get_attribute("src"))
        slider = page.get_by_role("slider", name="weight ukiyoe")
        slider.focus()
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        expect(pictures.first).not_to_have_attribute("src", before)
        expect(page.locator(".sd-command code")).to_contain_text("--weight 0.95,1")
        shot(page, "merge")

        page.get_by_label("layout").select_option("diffusers")
        page.fill("#sd-name input, #sd-name textarea", "mix")
        page.click("#sd-save-model")
        expect(page.locator(".job.done", has_text="mix")).to_be_visible()
        page.reload()
        expect(page.locator(".model[data-model='ukiyoe']")).to_be_visible()  # nothing is lost
    found = DiffusionPipeline.from_pretrained(place.workspace.models / "mix")
    assert found.unet is not None
    assert found.text_encoder is not None


def test_what_does_not_fit_is_told_at_its_cause(visit: Opening) -> None:
    with visit("?tab=merge") as (page, _):
        add(page, "japanese")
        add(page, "torii.safetensors")
        say_plan(page, "there is no base_model to add it to")
        say_plan(page, "Name the checkpoint")
        expect(page.locator(".model[data-model='torii.safetensors'] .fault")).to_be_visible()
        shot(page, "error")
        page.locator(".model[data-model='japanese']").get_by_label("Use as base").click()
        say_plan(page, "Ready")  # the LoRA stands for what it makes of the base


def test_steps_are_undone_and_done_again(visit: Opening) -> None:
    with visit("?tab=merge") as (page, _):
        page.get_by_role("button", name="Recipe as text").click()
        expect(page.locator("#sd-undo")).to_be_disabled()
        add(page, "japanese")
        add(page, "ukiyoe")
        slider = page.get_by_role("slider", name="alpha")
        slider.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        value = re.compile(r"alpha: 0\.53")
        expect(page.locator("#sd-yaml textarea")).to_have_value(re.compile(r"alpha: 0\.53"))
        page.locator(".sd-form .about").first.click()
        page.keyboard.press("Control+z")  # one drag is one step
        expect(page.locator("#sd-yaml textarea")).not_to_have_value(value)
        assert "ukiyoe" in text(page)
        page.click("#sd-undo")
        expect(page.locator(".model")).to_have_count(1)
        page.click("#sd-redo")
        page.click("#sd-redo")
        expect(page.locator("#sd-yaml textarea")).to_have_value(value)


def test_blocks_are_dragged(visit: Opening) -> None:
    with visit("?tab=merge") as (page, _):
        add(page, "japanese")
        add(page, "ukiyoe")
        page.get_by_role("button", name="Recipe as text").click()
        page.get_by_role("button", name="Blocks").click()
        block = page.get_by_role("slider", name="OUT03")
        block.focus()
        page.keyboard.press("End")
        expect(page.locator("#sd-yaml textarea")).to_have_value(re.compile(r"OUT03: 1\b"))
        say_plan(page, "Ready")
        page.get_by_placeholder("MBW numbers").fill("1,2,3")
        page.get_by_role("button", name="Take", exact=True).click()
        expect(page.get_by_text("the row has 3 numbers, and there are 26 blocks")).to_be_visible()


def test_the_page_in_japanese(visit: Opening) -> None:
    with visit(locale="ja-JP") as (page, _):
        expect(page.get_by_role("tab", name="モデル")).to_be_visible()
        page.get_by_role("tab", name="マージ").click()
        expect(page.get_by_text("まだ材料がありません。")).to_be_visible()
        shot(page, "japanese")


def test_a_recipe_from_outside(visit: Opening) -> None:
    with visit("?tab=merge") as (page, _):
        page.get_by_role("button", name="Recipe as text").click()
        page.fill("#sd-yaml textarea", "merge_method: linear\nmodels: [{model: /etc/passwd}]\n")
        page.get_by_role("button", name="Take this text").click()
        say_plan(page, "outside of the folders of models")
        page.fill("#sd-yaml textarea", "merge_method: [")
        page.get_by_role("button", name="Take this text").click()
        expect(page.get_by_text("this is not YAML")).to_be_visible()
        say_plan(page, "outside of the folders of models")  # the last good draft stays


def test_a_link_shows_the_same_and_jobs_are_everybodys(visit: Opening, place: Place) -> None:
    with visit("?tab=merge") as (page, _):
        add(page, "japanese")
        add(page, "distractor")
        say_plan(page, "Ready")
        page.get_by_role("button", name="Copy link").click()
        page.wait_for_url(re.compile(r"recipe=[0-9a-f]{12}"))
        link = page.url.partition("?")[2]
        failing = place.jobs.submit(place.request("plan", "nowhere", "--method", "linear"))
        with visit(f"?{link}") as (other, _):
            expect(other.locator(".model[data-model='distractor']")).to_be_attached()
            for one in (page, other):
                card = one.locator(f".job.failed[data-job='{failing.number}']")
                expect(card).to_contain_text("there is no model 'nowhere'")
                expect(card.get_by_role("button", name="Retry")).to_be_attached()
    with visit("?tab=merge&recipe=ffffffffffff") as (page, _):
        expect(page.get_by_text("There is no recipe ffffffffffff")).to_be_visible()
