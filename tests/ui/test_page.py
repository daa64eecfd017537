"""The page for everybody: read in the light and in the dark, by keyboard, at 1280 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grids import make_grid
from playwright.sync_api import Page, expect
from sdmerge_ui.place import Place

from .conftest import PATIENCE, Opening, shot

SEEN = (Path(__file__).parent / "seen.js").read_text("utf-8")
TABS = ("Models", "Merge", "Compare", "Evolve", "Runs", "Tools")


@pytest.fixture(autouse=True)
def _patient() -> None:
    expect.set_options(timeout=PATIENCE)


def with_models(page: Page) -> None:
    page.click(".sd-ingredients .try")
    expect(page.locator(".sd-plan .good")).to_be_visible()


@pytest.mark.parametrize("scheme", ["dark", pytest.param("light", marks=pytest.mark.long)])
def test_every_tab_is_read_and_fits(visit: Opening, place: Place, scheme: str) -> None:
    make_grid(place.workspace.folder / "grids" / "colours", seeds=(7,))
    with visit("?tab=merge", color_scheme=scheme) as (page, _):
        with_models(page)
        page.get_by_role("button", name="Blocks").click()
        expect(page.get_by_role("slider", name="OUT03")).to_be_visible()
        found: dict[str, list[str]] = {}
        for tab in TABS:
            page.get_by_role("tab", name=tab, exact=True).click()
            expect(page.get_by_role("tab", name=tab, exact=True)).to_have_attribute(
                "aria-selected", "true"
            )
            shown = page.locator(".tabitem:visible .sd:visible").first
            expect(shown).to_be_visible()
            found[tab] = page.evaluate(SEEN)
            shot(page, f"{tab.lower()}-{scheme}")
        assert not {tab: wrong for tab, wrong in found.items() if wrong}


FOCUS = """() => {
  const node = document.activeElement;
  const around = node.closest(".block, label, .wrap");
  const label = node.getAttribute("aria-label") || node.textContent.trim()
    || node.closest("label")?.textContent.trim() || node.id;
  const style = getComputedStyle(node);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const shadow = [node, around].some((one) => one && getComputedStyle(one).boxShadow !== "none");
  return { label, ring: outlined || shadow };
}"""
ORDER = (
    "Take the base away", "weight japanese", "weight ukiyoe", "Method", "Preview", "Save model",
)  # fmt: skip
"""What somebody comes to, one after the other."""


def test_merge_is_walked_through_by_keyboard(visit: Opening) -> None:
    with visit("?tab=merge") as (page, _):
        with_models(page)
        page.focus("#sd-add")
        walked: list[dict[str, Any]] = []
        for _ in range(60):
            page.keyboard.press("Tab")
            walked.append(page.evaluate(FOCUS))
            if "Save model" in walked[-1]["label"]:
                break
        names = [one["label"] for one in walked]
        places = [next((n for n, name in enumerate(names) if part in name), -1) for part in ORDER]
        assert -1 not in places, names
        assert places == sorted(places), names
        assert not [one for one in walked if not one["ring"]], " > ".join(one[:30] for one in names)


def test_motion_is_left_out_where_that_is_asked_for(visit: Opening) -> None:
    with visit("?tab=merge", reduced_motion="reduce") as (page, _):
        expect(page.locator(".sd-ingredients")).to_be_visible()
        moving = page.evaluate(
            """() => [...document.querySelectorAll("*")].filter((node) => {
              const style = getComputedStyle(node);
              return style.animationName !== "none" && style.animationDuration !== "0s"
                || parseFloat(style.transitionDuration) > 0 && style.transitionProperty !== "none";
            }).map((node) => node.className)"""
        )
        assert not moving
