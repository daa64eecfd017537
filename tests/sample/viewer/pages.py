"""What a test does with the open page: press keys, and look at what is drawn."""

from __future__ import annotations

import io

from grids import PROMPTS
from PIL import Image
from playwright.sync_api import Page


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
