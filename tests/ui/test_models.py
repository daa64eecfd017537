"""The list of models in a browser, and the line above it."""

from __future__ import annotations

import re
import shutil

from playwright.sync_api import expect
from sdmerge_ui.place import Place
from tiny import SAMPLES

from .conftest import PATIENCE, Opening

LORA = SAMPLES.parent / "loras" / "torii.safetensors"


def test_models_that_come_and_go(visit: Opening, place: Place) -> None:
    expect.set_options(timeout=PATIENCE)
    new = place.workspace.models / "new.safetensors"
    with visit("?tab=models") as (page, _):
        expect(page.locator(".sd-models tr[data-model=base]")).to_contain_text("checkpoint")
        expect(page.locator(".sd-usage")).to_have_text(re.compile(r"RAM .+ GB · disk .+ free"))
        row = page.locator(".sd-models tr[data-model='new.safetensors']")
        expect(row).to_have_count(0)
        shutil.copyfile(LORA, new)
        page.get_by_role("button", name="Look again").click()
        expect(row).to_contain_text("LoRA")
        new.unlink()
        page.get_by_role("button", name="Look again").click()
        expect(row).to_have_count(0)
