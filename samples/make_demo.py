"""The demo of the app, made anew: `python -m samples.make_demo` draws its grid, searches its study.

It runs what it prints in a workspace of its own, `out/making-demo`, and puts what came of it into
`samples/demo`, from where `sdmerge ui --demo` copies it. It takes minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from sdmerge.cli.main import run
from sdmerge.demo import DEMO, lay_out
from sdmerge.evolve.ledger import STUDY, read_description
from sdmerge.workspace import SAMPLES, Workspace

ROOT = SAMPLES.parent
GRID, STUDY_FOLDER = "grids/first", "studies/first"
PROMPTS = {"search": 48, "validation": 16, "test": 32}
"""How many lines of the samples' prompts the demo takes, without their references."""

GRID_FLAGS = (
    "--x", "models[ukiyoe].parameters.weight=0:1.2:0.3", "--y", "prompt",
    "--z", "models[japanese].parameters.weight=1,0.5", "-p", "@prompts/grid.jsonl",
    "--score", "clip,model=scorers/clip_a", "--steps", "8", "--guidance", "3",
)  # fmt: skip
LEFT_OUT = ("grid.html", "grid.lock", "lock")
"""What every run writes again."""


def commands() -> list[list[str]]:
    """The sdmerge commands that make the grid and the study, in a workspace."""
    options = ["--workspace", ".", "--models", os.path.relpath(SAMPLES / "models")]
    return [
        [*options, "grid", "recipes/first.yaml", *GRID_FLAGS, "-o", GRID],
        [*options, "evolve", "search.yaml", "-o", STUDY_FOLDER],
    ]


def main(work: Path = ROOT / "out" / "making-demo") -> int:
    """The exit code of the first command that fails, 0 if none does."""
    shutil.rmtree(work, ignore_errors=True)
    for made in (GRID, STUDY_FOLDER):
        shutil.rmtree(DEMO / made, ignore_errors=True)
    _write_prompts()
    lay_out(Workspace(work))
    os.chdir(work)
    for arguments in commands():
        print(f"$ sdmerge {' '.join(arguments)}", file=sys.stderr)
        if code := run(arguments):
            return code
    for made in (GRID, STUDY_FOLDER):
        shutil.copytree(made, DEMO / made, ignore=shutil.ignore_patterns(*LEFT_OUT))
    # where the workspace is, is its user's business
    study = DEMO / STUDY_FOLDER
    text = replace(read_description(study), folder="../..").text()
    (study / STUDY).write_text(text, "utf-8", newline="\n")
    return 0


def _write_prompts() -> None:
    folder = DEMO / "prompts"
    folder.mkdir(exist_ok=True)
    for part, count in PROMPTS.items():
        found = (SAMPLES / "prompts" / f"{part}.jsonl").read_text("utf-8").splitlines()
        # spread over all of them: neighbours are alike
        lines = found[:: len(found) // count][:count]
        _write(folder / f"{part}.jsonl", [json.loads(line) for line in lines])
    names = ("first", "first-ukiyoe")
    asked = [(SAMPLES / "prompts" / f"{one}.txt").read_text("utf-8").splitlines() for one in names]
    lines = [{"prompt": one, "caption": other} for one, other in zip(*asked, strict=True)]
    _write(folder / "grid.jsonl", lines[:4])


def _write(path: Path, lines: list[dict[str, str]]) -> None:
    kept = [{"prompt": one["prompt"], "caption": one["caption"]} for one in lines]
    text = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in kept)
    path.write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
