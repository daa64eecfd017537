"""Demo: a workspace with something in it, for whoever opens the app for the first time.

The samples bring one: recipes, prompts, a grid that was drawn and a study that was searched. Paths
in it start at the workspace, whose models are the samples'.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from sdmerge.errors import InputError
from sdmerge.workspace import SAMPLES, Workspace

DEMO = SAMPLES / "demo"
"""What the samples bring; `python -m samples.make_demo` makes it."""

FOLDER = SAMPLES.parent / "out" / "demo"
"""The demo's workspace, where nobody names another."""

_SCORERS = ("clip_a", "clip_b")


def lay_out(workspace: Workspace) -> list[Path]:
    """Copy into the workspace what it lacks of the demo; what was copied.

    Nothing that is there is changed. An InputError where there are no samples.
    """
    if not DEMO.is_dir():
        hint = "Run it in a clone of the repository."
        raise InputError("there is no demo: the samples are not here", hint=hint)
    parts = [*_inside(DEMO, workspace.folder), *_scorers(workspace)]
    return [target for source, target in parts if _copied(source, target, workspace)]


def _inside(demo: Path, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Every file of the demo, and everything in its folders, with its place in a workspace."""
    for source in sorted(demo.iterdir()):
        if source.is_dir():
            yield from ((one, folder / source.name / one.name) for one in sorted(source.iterdir()))
        else:
            yield source, folder / source.name


def _scorers(workspace: Workspace) -> Iterator[tuple[Path, Path]]:
    """The models that the demo's study asks, which are the samples'."""
    return ((SAMPLES / "scorers" / name, workspace.scorers / name) for name in _SCORERS)


def _copied(source: Path, target: Path, workspace: Workspace) -> bool:
    """Whether it was copied: it is there as a whole, or not at all."""
    if target.exists():
        return False
    half = workspace.folder / "cache" / "demo" / target.name
    shutil.rmtree(half, ignore_errors=True)
    for folder in (half.parent, target.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, half)
    else:
        shutil.copyfile(source, half)
    half.replace(target)
    return True
