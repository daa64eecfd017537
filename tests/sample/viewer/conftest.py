"""A grid, opened in a real Chromium from a disk, with no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Said, address_of, chromium, opened
from grids import make_grid
from playwright.sync_api import Browser, Page

from sdmerge.sample.viewer import write_page


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
