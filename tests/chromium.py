"""A real Chromium for tests of pages: the one that is there; in CI it is installed if need be.

Without one, tests of pages are skipped on a developer's machine and fail in CI.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright
from playwright.sync_api import Error as BrowserError

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "msedge",
    "chrome",
)
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
INSTALL = (
    [sys.executable, "-m", "playwright", "install", "chromium"],
    ["apt-get", "-qq", "update"],
    ["apt-get", "-qqy", "-o", "DPkg::Lock::Timeout=300", "install", "chromium"],
)


def start(playwright: Playwright) -> Browser:
    """Playwright's own browser, else an installed one."""
    paths = [None, *filter(None, map(shutil.which, NAMES))]
    for path in paths:
        with contextlib.suppress(BrowserError):
            return playwright.chromium.launch(executable_path=path)
    raise FileNotFoundError("there is no Chromium: run `playwright install chromium`")


_STARTED: list[Browser] = []


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    if _STARTED:  # Playwright starts once in a process, whoever asks first
        yield _STARTED[0]
        return
    with sync_playwright() as playwright:
        try:
            browser = start(playwright)
        except FileNotFoundError as error:
            if not IN_CI:
                pytest.skip(str(error))
            for command in INSTALL:
                with contextlib.suppress(FileNotFoundError):
                    subprocess.run(command, check=False, timeout=600)
            browser = start(playwright)
        _STARTED.append(browser)
        try:
            yield browser
        finally:
            _STARTED.clear()
            browser.close()


@dataclass
class Said:
    """What a page complained of, and what it asked the network for."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def note(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            self.errors.append(line.text)


@contextlib.contextmanager
def opened(
    browser: Browser, address: str, *, offline: bool = True, script: str = "", **options: Any
) -> Iterator[tuple[Page, Said]]:
    """A page; when it is closed, errors on its console fail the test.

    script: What runs before its own.
    """
    settings = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", **options}
    context = browser.new_context(**settings)
    context.set_offline(offline)
    said = Said()
    page = context.new_page()
    page.set_default_timeout(5000)
    page.on("console", said.note)
    page.on("pageerror", lambda error: said.errors.append(str(error)))
    page.on("request", lambda request: said.requests.append(request.url))
    if script:
        page.add_init_script(script)
    try:
        page.goto(address)
        yield page, said
        assert not said.errors, said.errors
    finally:
        context.close()


def address_of(path: Path, words: str = "") -> str:
    return path.resolve().as_uri() + (f"#{words}" if words else "")
