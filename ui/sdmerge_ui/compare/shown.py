"""Shown: the grids of the workspace, and the one that is looked at, for the element `viewer`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdmerge_ui.grids import address_of, find_grid, known_grids
from sdmerge_ui.library import (
    InputError,
    Job,
    SdmergeError,
    parse_choice,
    picture_path,
    rank,
    read_cells,
    read_grid,
    read_record,
    read_votes,
    scorer_manifest,
)
from sdmerge_ui.place import SAMPLES, Place, address
from sdmerge_ui.texts import Words

_STAMPED = ("grid.yaml", "cells.jsonl", "votes.jsonl")
_PYTHON = "python:"

Stamp = tuple[tuple[int, int], ...]


class Shelf:
    """What is known of grids; read again only where files changed."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._known: dict[Path, tuple[Stamp, dict[str, Any]]] = {}

    def grids(self) -> list[dict[str, Any]]:
        """The grids, what was drawn last first."""
        return [
            {"name": name, **self._read(name, folder)}
            for name, folder in known_grids(self._place).items()
        ]

    def _read(self, name: str, folder: Path) -> dict[str, Any]:
        stamp = _stamp(folder)
        known = self._known.get(folder)
        if known is None or known[0] != stamp:
            known = stamp, _described(name, folder)
            self._known[folder] = known
        return known[1]


def shown(place: Place, words: Words, shelf: Shelf, chosen: str) -> dict[str, Any]:
    """The value of the element: the grid that is chosen, else the newest."""
    grids = shelf.grids()
    one = next((grid for grid in grids if grid["name"] == chosen), grids[0] if grids else None)
    listed = [{"name": grid["name"], "label": grid["label"]} for grid in grids]
    found: dict[str, Any] = {"grids": listed, "grid": "", "scorers": scorers(place)}
    if one is None:
        return found
    jobs = place.jobs.all()
    folder = known_grids(place).get(one["name"])
    job = _adding(place, folder, jobs) or _job_of(one["name"], jobs)
    return found | {
        "grid": one["name"], "address": address_of(one["name"]), "drawn": one["drawn"],
        "total": one["total"], "stamp": one["stamp"], "error": one["error"],
        "running": job is not None and not job.over,
        "more": one["name"].startswith("runs~"), "state": _state(words, one, job),
        "language": words.language,
        "files": _files(jobs, place, folder) if folder else [],
    }  # fmt: skip


def ranking(place: Place, words: Words, name: str, by: str) -> dict[str, Any]:
    """The value of the element `ranking`: standings with intervals, and whether one has won."""
    folder = known_grids(place).get(name)
    try:
        count = len(read_votes(folder)) if folder else 0
        if folder is None or not count:
            return {"rows": []}
        grid, found = read_grid(folder), rank(folder, by or None)
    except SdmergeError as error:
        return {"rows": [], "error": str(error)}
    rows = [
        {"label": one.label, "votes": one.votes, "rate": one.rate, "low": one.low, "high": one.high}
        for one in found.standings
    ]
    verdict = (
        words("ranking.settled", name=found.standings[0].label)
        if found.settled
        else words("ranking.open")
    )
    return {
        "rows": rows, "by": found.by, "choices": [*(axis.name for axis in grid.axes), "recipe"],
        "settled": found.settled, "text": verdict,
        "votes": words("ranking.votes", count=count, telling=found.votes),
    }  # fmt: skip


def recipe_of(place: Place, name: str, cell: str) -> str:
    """The recipe that drew a cell, as its picture says."""
    folder = find_grid(place, name)
    found = read_cells(folder).get(cell)
    if found is None:
        raise InputError("the grid has no such picture", hint="It may be drawn anew: look again.")
    text = read_record(picture_path(folder, found)).recipe
    if not text:
        raise InputError("the picture was drawn by one model", hint="Choose one of a merge.")
    return text


def exported(place: Place, name: str, how: str) -> Job:
    """The job that writes a grid for others: as a folder, as one file, or as one picture."""
    folder = find_grid(place, name)
    target = {"folder": "{run}/export", "html": "{run}/grid.html", "sheet": "{run}/sheet.png"}[how]
    flag = "--sheet" if how == "sheet" else "--export"
    request = place.request("view", str(folder), flag, target)
    return place.jobs.submit(request, title=f"{how} {name.replace('~', '/')}")


def scored(place: Place, name: str, scorer: str) -> Job:
    """The job that scores the cells of a grid."""
    folder = find_grid(place, name)
    if scorer.strip().startswith(_PYTHON):
        raise InputError("functions are not run for the page", hint="Use `sdmerge score`.")
    choice = parse_choice(scorer)
    spec = scorer_manifest()[choice.scorer]
    if spec.of == "set":
        raise InputError(f"{spec.name} scores sets, not the pictures of a grid")
    for value in choice.values.values():
        if isinstance(value, str):
            place.confined.check(value)
    request = place.request("score", str(folder), "--with", scorer)
    return place.jobs.submit(request, title=f"{choice.name or choice.scorer} {name}")


def scorers(place: Place) -> list[str]:
    """What can be asked for by name, those of the samples first."""
    usual = [one.name for one in scorer_manifest().values() if one.of == "picture"]
    folder = SAMPLES / "scorers"
    own = ("clip_a", "clip_b") if place.samples and folder.is_dir() else ()
    return [*(f"clip,model={folder / one}" for one in own), *usual]


def _described(name: str, folder: Path) -> dict[str, Any]:
    stamp = "-".join(str(size) for size, _ in _stamp(folder)[:2])
    try:
        grid, cells = read_grid(folder), read_cells(folder)
    except SdmergeError as error:
        return {"label": name, "drawn": 0, "total": 0, "stamp": stamp, "error": str(error)}
    run = folder.parent.name.lstrip("0") if folder.name == "grid" else folder.name
    axes = " × ".join(axis.name for axis in grid.axes)
    label = f"{run} · {axes} · {min(len(cells), grid.count)}/{grid.count}"
    return {"label": label, "drawn": len(cells), "total": grid.count, "stamp": stamp, "error": ""}


def _stamp(folder: Path) -> Stamp:
    found: list[tuple[int, int]] = []
    for name in _STAMPED:
        try:
            status = (folder / name).stat()
        except OSError:
            found.append((0, 0))
        else:
            found.append((status.st_size, status.st_mtime_ns))
    return tuple(found)


def _job_of(name: str, jobs: list[Job]) -> Job | None:
    run = name.split("~")[1] if name.startswith("runs~") else ""
    return next((job for job in jobs if job.run.name == run), None)


def _adding(place: Place, folder: Path | None, jobs: list[Job]) -> Job | None:
    """The job that adds to a grid at the moment."""
    going = (job for job in jobs if job.kind == "grid" and not job.over)
    return next(
        (job for job in going if str(folder) in place.jobs.asked(job.number).arguments), None
    )


def _state(words: Words, grid: Mapping[str, Any], job: Job | None) -> str:
    told = words("viewer.drawn", drawn=grid["drawn"], total=grid["total"])
    return f"{told} · {words('viewer.run', number=job.number)}" if job is not None else told


def _files(jobs: list[Job], place: Place, folder: Path) -> list[dict[str, str]]:
    """What was written of this grid for others, as links."""
    done = [job for job in jobs if job.kind == "view" and job.state == "done"]
    return [
        {"address": address(path), "label": path.name}
        for job in done[-12:]
        if str(folder) in place.jobs.asked(job.number).arguments
        for path in job.results
        if path.is_file()
    ]
