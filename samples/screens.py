"""Pictures of the app for the README, taken of a workspace in which something was done.

`python -m samples.screens` writes samples/pictures/app/NAME.webp. It needs a Chromium. Pages say
where things lie, so the pictures that ship were taken in a clone whose path is nobody's.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from sdmerge.jobs import Job, Jobs
from sdmerge.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
OUT = SAMPLES / "pictures" / "app"
SIZE = {"width": 1280, "height": 800}
LARGEST = 150_000
"""Bytes of a picture, at most."""
PATIENCE = 120_000
PROMPTS = ("黒い背景に白い丸", "青い背景に黄色い四角", "赤い背景に緑の三角")
"""What only the model reads that learned Japanese."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


def fill(jobs: Jobs) -> None:
    """A merge, a grid and a search, as somebody would have run them."""
    first, searched = (
        (ROOT / "recipes" / name).read_text("utf-8").replace("../samples", str(SAMPLES))
        for name in ("first.yaml", "evolve.yaml")
    )
    folder = jobs.workspace.folder
    draw = ("--steps", "6", "--guidance", "3")
    model = str(jobs.workspace.models / "first.safetensors")
    done(jobs, first, "first", "merge", "{run}/recipe.yaml", "-o", model)
    shown = [word for prompt in PROMPTS for word in ("-p", prompt)]
    axes = ("--x", "models[ukiyoe].parameters.weight=0:1.2:0.3", "--y", "prompt")
    done(jobs, first, "weight × prompt", "grid", "{run}/recipe.yaml", *axes, *shown,
         *draw, "-o", "{run}/grid")  # fmt: skip
    study = str(folder / "studies" / "portraits")
    sets = [word for part in ("search", "validation") for word in few(folder, part)]
    done(jobs, searched, "portraits", "evolve", "{run}/recipe.yaml", "-o", study, *sets,
         "--trials", "42", "--validate-every", "1")  # fmt: skip


def few(folder: Path, part: str) -> list[str]:
    """The first prompts of a part, which are drawn sooner than all of them."""
    lines = (SAMPLES / "prompts" / f"{part}.jsonl").read_text("utf-8").splitlines()[:6]
    file = folder / "prompts" / f"few-{part}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{json.loads(line)['prompt']}\n" for line in lines), "utf-8")
    return ["--set", f"evolve.prompts.{part}={file}"]


def done(jobs: Jobs, recipe: str, title: str, *words: str) -> Job:
    """A job at its end; whatever went wrong is raised."""
    job = jobs.submit(jobs.request(*words, folder=ROOT), title=title, recipe=recipe)
    while not (job := jobs.get(job.number)).over:
        time.sleep(0.2)
    if job.state != "done":
        raise SystemExit(f"{title}: {job.error}\n{job.log.read_text('utf-8')[-2000:]}")
    return job


@contextmanager
def served(workspace: Path) -> Generator[str]:
    """The address of the app on a workspace."""
    place = ["--workspace", str(workspace)]
    words = [sys.executable, "-m", "sdmerge", *place, "ui", "--port", "0", "-q"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "ui")])
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def models(page: Page) -> None:
    """A model with what it is."""
    page.locator("tr[data-model='ukiyoe']").click()
    page.wait_for_selector(".sd-details dl")


def merge(page: Page) -> None:
    """The workbench with a preview and its blocks."""
    page.click(".sd-ingredients .try")
    page.wait_for_selector(".sd-plan .good")
    page.fill("#sd-prompts textarea", "\n".join(PROMPTS))
    page.click("#sd-preview")
    page.wait_for_selector(".sd-pictures .tiles img")
    page.get_by_role("button", name="Blocks").click()


def compare(page: Page) -> None:
    """A grid."""
    page.frame_locator("iframe.grid").locator("td img, .cell img, canvas").first.wait_for()


def evolve(page: Page) -> None:
    """A study at its end."""
    page.wait_for_selector(".sd-study .curve")
    page.locator(".sd-study").scroll_into_view_if_needed()


def runs(page: Page) -> None:
    """A run with its pictures."""
    page.locator(".sd-runs tbody tr", has_text="weight × prompt").click()
    page.wait_for_selector(".sd-run .thumbs img")


def tools(page: Page) -> None:
    """A tool with its command line."""
    page.get_by_role("radio", name="Resize a LoRA").check()
    page.get_by_label("lora", exact=True).select_option("torii.safetensors")
    page.get_by_label("rank", exact=True).fill("4")
    page.get_by_label("rank", exact=True).press("Tab")
    page.locator(".sd-tools .target").fill("torii-small")
    page.wait_for_selector(".sd-tools .line:not(:empty)")


SHOWN: dict[str, Callable[[Page], None]] = {
    "models": models, "merge": merge, "compare": compare, "evolve": evolve, "runs": runs,
    "tools": tools,
}  # fmt: skip


def kept(name: str, png: bytes) -> None:
    """The picture as WebP, as good as its size allows."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for quality in (90, 80, 70, 60, 50):
        written = io.BytesIO()
        picture.save(written, "webp", quality=quality, method=6)
        if written.tell() <= LARGEST:
            break
    (OUT / f"{name}.webp").write_bytes(written.getvalue())
    print(f"{name}: {written.tell() / 1000:.0f} kB", file=sys.stderr)


def main() -> None:
    """Take all of them."""
    OUT.mkdir(parents=True, exist_ok=True)
    workspace = ROOT / "out" / "screens"
    shutil.rmtree(workspace, ignore_errors=True)
    with sync_playwright() as playwright:
        jobs = Jobs(Workspace(workspace, (SAMPLES / "models", SAMPLES / "loras")))
        fill(jobs)
        path = next(filter(None, map(shutil.which, NAMES)), None)
        browser = playwright.chromium.launch(executable_path=path)
        with served(workspace) as address:
            options: dict[str, Any] = {"viewport": SIZE, "locale": "en-US", "color_scheme": "light"}
            page = browser.new_context(**options).new_page()
            page.set_default_timeout(PATIENCE)
            for name, prepare in SHOWN.items():
                page.goto(f"{address}/?tab={name}")
                page.wait_for_selector(f".sd-{'ingredients' if name == 'merge' else 'bar'}")
                prepare(page)
                page.wait_for_timeout(1500)  # what fades in
                kept(name, page.screenshot(full_page=name in ("merge", "evolve")))
        browser.close()
        jobs.free_memory()


if __name__ == "__main__":
    main()
