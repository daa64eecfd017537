"""The workbench in a browser: from two models to a file that diffusers loads."""

from __future__ import annotations

from playwright.sync_api import expect

from sdmerge_ui.place import Place

from .conftest import PATIENCE, Opening, shot


def test_the_page_opens(visit: Opening, place: Place) -> None:
    with visit() as (page, said):
        page.wait_for_selector("[data-model='ukiyoe.safetensors']", timeout=PATIENCE)
        page.click("[data-model='ukiyoe.safetensors']")
        expect(page.locator(".sd-details h3")).to_have_text("ukiyoe.safetensors")
        shot(page, "models")
        page.get_by_role("tab", name="Merge").click()
        page.wait_for_selector(".sd-ingredients .try")
        shot(page, "empty")
        page.click(".sd-ingredients .try")
        expect(page.locator(".sd-plan .good")).to_be_visible(timeout=PATIENCE)
        expect(page.locator(".sd-pictures img")).to_have_count(3, timeout=PATIENCE)
        page.wait_for_timeout(1000)
        shot(page, "merge")
        print(said.requests[-3:])
