"""How long people wait for the app: `python -m benchmarks.app --folder DIR` on an idle machine.

Starts `sdmerge ui` in empty workspaces and opens it in Chromium: from the command to an address,
from the address to the first list of models, from **Try it** to the first merged picture; and how
long plans of SDXL take whose headers were read before. `--record` writes app.json and the README's
table; `--quick` does each once.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.random_files import header_only
from benchmarks.report import HERE, benchmark, put_figures
from sdmerge.jobs.lanes import Lane
from sdmerge.workspace import Workspace

ROOT = HERE.parent
MANY = 200
"""Models in a folder that is not small."""


def main() -> None:
    """Print the figures as JSON, and write them where they are shown if asked to."""
    benchmark(__doc__, measure, lambda figures: put_figures("app", figures))


def measure(options: Any) -> Mapping[str, Any]:
    """Medians over starts, and over plans."""
    starts = 1 if options.quick else 3
    cold = [_first_picture(options.folder / "cold", {}) for _ in range(starts)]
    models = options.folder / "models"
    for number in range(MANY):
        header_only(models / f"sdxl-{number}.safetensors", "sdxl")
    many = [_first_picture(options.folder / "many", {"models": models}) for _ in range(starts)]
    plans = list(_plans(options.folder, models, 5 if options.quick else 50))
    return {
        **_medians(cold),
        f"first paint beside {MANY} SDXL seconds": _medians(many)["first paint seconds"],
        f"all {MANY} SDXL listed seconds": _medians(many)["listed seconds"],
        "plan of SDXL milliseconds": round(1000 * statistics.median(plans), 1),
    }


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}


def _first_picture(folder: Path, options: Mapping[str, Path]) -> dict[str, float]:
    """Seconds of a start in a fresh workspace."""
    from playwright.sync_api import sync_playwright

    shutil.rmtree(folder, ignore_errors=True)
    with sync_playwright() as playwright, _served(folder, options) as (address, up):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page()
        page.set_default_timeout(120_000)
        opened = time.perf_counter()
        page.goto(address)
        page.wait_for_selector(".sd-models tbody tr")
        painted = time.perf_counter()
        page.wait_for_function("!document.querySelector('.sd-models tr.unread')")
        listed = time.perf_counter()
        page.get_by_role("tab", name="Merge").click()
        page.wait_for_selector(".sd-ingredients .try")
        clicked = time.perf_counter()
        page.click(".sd-ingredients .try")
        page.wait_for_selector(".sd-pictures img")
        drawn = time.perf_counter()
        browser.close()
    return {
        "address seconds": up,
        "first paint seconds": painted - opened,
        "listed seconds": listed - opened,
        "try it seconds": drawn - clicked,
    }


@contextmanager
def _served(folder: Path, options: Mapping[str, Path]) -> Iterator[tuple[str, float]]:
    """The app in a workspace: its address, and the seconds it took to have one."""
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    asked = ["--workspace", str(folder), *flags, "ui", "--port", "0", "-q"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "ui")])
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "sdmerge", *asked], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as server:  # fmt: skip
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        up = time.perf_counter() - began
        try:
            yield address, up
        finally:
            server.terminate()
            worker = Lane(folder / "runs", "cpu").address()
            if worker is not None:
                psutil.Process(worker.pid).kill()


def _plans(folder: Path, models: Path, rounds: int) -> Iterator[float]:
    """Seconds of plans as the page asks for them, each of another draft."""
    from sdmerge_ui.merge.planned import planned
    from sdmerge_ui.place import Place
    from sdmerge_ui.texts import Words

    place, words = Place(Workspace(folder / "plans", (models,))), Words("en")
    for number in range(rounds + 1):
        text = (
            "merge_method: ties\nbase_model: sdxl-0.safetensors\n"
            "models: [{model: sdxl-1.safetensors}, {model: sdxl-2.safetensors}]\n"
            f"parameters: {{density: {0.1 + number / 1000}}}\n"
        )
        began = time.perf_counter()
        shown = planned(place, words, text)
        seconds = time.perf_counter() - began
        assert shown.get("merged"), shown
        if number:  # the first one reads headers
            yield seconds


if __name__ == "__main__":
    main()
