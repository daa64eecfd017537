"""Told: the history for the elements `runs` and `run`: every run in a line, one of them whole."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path, PurePath
from typing import Any

from sdmerge_ui.edits import stage_of
from sdmerge_ui.grids import address_of, known_grids
from sdmerge_ui.library import (
    Ancestor,
    Job,
    SdmergeError,
    read_cells,
    read_grid,
    read_lineage,
    readable,
)
from sdmerge_ui.place import Place, address
from sdmerge_ui.state import differences
from sdmerge_ui.texts import Words

_TAIL = 12_000
_PICTURES = 24
_OTHERS = 100
_SHOWN = (".png", ".html", ".webp")
STOPPED = ("failed", "cancelled", "interrupted")

Seen = tuple[tuple[int, str, float | None, bool], ...]


def signature(jobs: list[Job]) -> Seen:
    """What changes whenever the list does."""
    return tuple((job.number, job.state, job.ended, job.starred) for job in jobs)


def listed(words: Words, jobs: list[Job]) -> dict[str, Any]:
    """The value of the element `runs`, the newest first."""
    return {
        "runs": [
            {
                "number": job.number, "when": job.created, "kind": job.kind, "title": job.title,
                "state": job.state, "result": _result(words, job), "starred": job.starred,
            }
            for job in reversed(jobs)
        ]
    }  # fmt: skip


def details(place: Place, words: Words, draft: str, number: int, other: int = 0) -> dict[str, Any]:
    """The value of the element `run`.

    other: The run whose recipe it is compared with; 0: the draft.
    """
    every = place.jobs.all()
    job = next((one for one in every if one.number == number), None)
    if job is None:
        return {"number": 0}
    request = place.jobs.asked(number)
    recipe = job.recipe.read_text("utf-8") if job.recipe.is_file() else ""
    grid = _grid_of(place, job)
    models = [path for path in job.results if path.exists() and str(path) in _written(job)]
    gone = bool(job.results) and not any(path.exists() for path in job.results)
    return {
        "number": number, "kind": job.kind, "title": job.title, "state": job.state,
        "when": job.created, "took": _took(job), "recipe": recipe, "result": _result(words, job),
        "command": shlex.join(["sdmerge", *request.arguments]),
        "folder": str(request.folder),
        "files": [_file(place, path) for path in job.results],
        "error": {"what": f"{job.error.where}: {job.error.what}".removeprefix(": "),
                  "hint": job.error.hint} if job.error else None,
        "log": _tail(job.log), "said": _said(place, number),
        "lineage": _lineage(job, recipe),
        "grid": grid, "pictures": _pictures(words, place, grid),
        "again": job.over, "retry": job.state in STOPPED or (job.state == "done" and gone),
        "verify": str(models[0]) if models else "",
        "starred": job.starred, "forget": job.over, "inside": readable(_size(job.run)),
        **_compared(every, job, recipe, draft, other),
    }  # fmt: skip


def _compared(
    every: list[Job], job: Job, recipe: str, draft: str, other: int
) -> dict[str, Any]:  # fmt: skip
    """What its recipe has otherwise than another run's, or than the draft."""
    if not recipe:
        return {"others": [], "other": 0, "changes": []}
    others = [one for one in reversed(every) if one.number != job.number and one.recipe.is_file()]
    chosen = next((one for one in others if one.number == other), None)
    text = chosen.recipe.read_text("utf-8") if chosen is not None else draft
    return {
        "others": [{"number": one.number, "label": f"{one.number} · {one.kind} {one.title}"}
                   for one in others[:_OTHERS]],
        "other": chosen.number if chosen is not None else 0,
        "changes": differences(text, recipe),
    }  # fmt: skip


def _result(words: Words, job: Job) -> str:
    """What came of it, in a few words."""
    if job.error is not None:
        return job.error.what
    if job.state != "done":
        return ""
    if job.kind == "grid":
        return _counted(words, job)
    there = [path for path in job.results if path.exists()]
    if job.results and not there:
        return words("runs.removed")
    if there:
        return readable(sum(map(_size, there)))
    return ""


def _counted(words: Words, job: Job) -> str:
    for path in job.results:
        try:
            return words("runs.cells", count=min(read_grid(path).count, len(read_cells(path))))
        except SdmergeError:
            continue
    return ""


def _size(path: Path) -> int:
    """Bytes of a file or of what is in a folder, some of which may go while it is counted."""
    size = 0
    for file in path.rglob("*") if path.is_dir() else [path]:
        with contextlib.suppress(FileNotFoundError):
            size += file.stat().st_size if file.is_file() else 0
    return size


def _file(place: Place, path: Path) -> dict[str, Any]:
    there = path.exists()
    inside = path.resolve().is_relative_to(place.workspace.runs.resolve())
    shown = there and path.is_file() and inside and path.suffix in _SHOWN
    return {
        "path": str(path), "there": there, "size": readable(_size(path)) if there else "",
        "address": address(path) if shown else "",
    }  # fmt: skip


def _written(job: Job) -> set[str]:
    """The models that it wrote: those whose hashes it recorded, or their folders."""
    files = [Path(one) for one in job.hashes]
    return {str(path) for path in job.results if any(file.is_relative_to(path) for file in files)}


def _took(job: Job) -> float | None:
    return job.ended - job.started if job.ended and job.started else None


def _tail(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read().decode("utf-8", "replace")


def _said(place: Place, number: int) -> str:
    """What the command ended with, as the terminal shows it."""
    events, _ = place.jobs.events(number)
    found = [str(event.data.get("text") or "") for event in events if event.kind == "result"]
    return found[-1] if found else ""


def _lineage(job: Job, recipe: str) -> dict[str, Any] | None:
    """The tree of what it wrote; before that, what its recipe names."""
    tree = read_lineage(job)
    if tree is not None:
        return _branch(tree)
    try:
        stage = stage_of(recipe) if recipe else {}
    except SdmergeError:
        return None
    models = [one.get("model") for one in stage.get("models") or [] if isinstance(one, dict)]
    names = [PurePath(str(name)).name for name in (stage.get("base_model"), *models) if name]
    if not names:
        return None
    parents: list[dict[str, Any]] = [_leaf(name) for name in names]
    return {**_leaf(job.title), "method": str(stage.get("merge_method")), "run": job.number,
            "parents": parents}  # fmt: skip


def _branch(tree: Ancestor) -> dict[str, Any]:
    return {
        "name": tree.name, "method": tree.method, "run": tree.run, "gone": not tree.path.exists(),
        "parents": [_branch(one) for one in tree.parents],
    }  # fmt: skip


def _leaf(name: str) -> dict[str, Any]:
    return {"name": name, "method": "", "run": None, "gone": False, "parents": []}


def _grid_of(place: Place, job: Job) -> str:
    found = known_grids(place).items()
    return next((name for name, folder in found if job.run in folder.parents), "")


def _pictures(words: Words, place: Place, name: str) -> list[dict[str, str]]:
    folder = known_grids(place).get(name) if name else None
    if folder is None:
        return []
    try:
        cells = list(read_cells(folder).values())[:_PICTURES]
    except SdmergeError:
        return []
    return [
        {
            "address": address_of(name, cell.file),
            "alt": words(
                "run.alt", recipe=cell.recipe_id[:8], prompt=cell.prompt, seed=cell.seed,
                values=", ".join(f"{key} {value}" for key, value in cell.values.items()
                                 if key not in ("prompt", "seed")),
            ),
        }
        for cell in cells
    ]  # fmt: skip
