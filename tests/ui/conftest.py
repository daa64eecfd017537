"""One app for all tests: a real server on the samples, a workspace of its own, a real Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from chromium import chromium, opened
from playwright.sync_api import Browser, Page
from sdmerge_ui.place import SAMPLES, Place
from tiny import ROOT

from sdmerge.jobs.lanes import Lane, reap
from sdmerge.workspace import Workspace

PATIENCE = 60_000
"""Milliseconds for what a worker has to begin for."""
LEFT = ("AbortError", "Unexpected error Connection errored out")
"""What Gradio's client says when its page is loaded again in the middle of an answer."""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The workspace of the app, whose worker ends with the tests."""
    folder = tmp_path_factory.mktemp("app")
    host = folder.parent / "host" / "ComfyUI"
    for kind in ("checkpoints", "loras"):
        (host / "models" / kind).mkdir(parents=True)
    shutil.copy(SAMPLES / "loras" / "torii.safetensors", host / "models/loras/hosted.safetensors")
    found = Place(Workspace(folder, (host,), (host,)))
    yield found
    for job in found.jobs.all():
        found.jobs.kill(job.number)
    address = Lane(found.jobs.runs.folder, "cpu").address()
    if address is not None:  # not asked: it may be loading libraries for half a minute
        psutil.Process(address.pid).kill()
    reap()


@pytest.fixture(scope="session")
def serving(place: Place) -> Iterator[tuple[str, int]]:
    """The address of the app, which is started as users do, and its process."""
    host = str(place.workspace.targets[0])
    asked = ["--workspace", str(place.workspace.folder), "--save-to", host]
    asked += ["ui", "--port", "0", "-q"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "ui")])
    with subprocess.Popen(
        [sys.executable, "-m", "sdmerge", *asked], stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
    ) as server:  # fmt: skip
        assert server.stdout is not None
        yield server.stdout.readline().strip(), server.pid
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            raise


@pytest.fixture(scope="session")
def app(serving: tuple[str, int]) -> str:
    """The address of the app."""
    return serving[0]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


Opening = Callable[..., AbstractContextManager[tuple[Page, Any]]]


@pytest.fixture
def visit(app: str, browser: Browser) -> Opening:
    """Opens the app at a query; errors on the console fail the test."""

    @contextmanager
    def at(query: str = "", **options: Any) -> Iterator[tuple[Page, Any]]:
        with opened(browser, f"{app}/{query}", offline=False, **options) as (page, said):
            page.set_default_timeout(PATIENCE)
            yield page, said
            said.errors[:] = [one for one in said.errors if not one.startswith(LEFT)]

    return at


def shot(page: Page, name: str) -> None:
    """A picture of the page, where somebody asked for them."""
    if folder := os.environ.get("SDMERGE_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
