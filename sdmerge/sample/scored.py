"""Pictures with their scores: drawn by a pipeline or read from a folder, scored by a panel."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sdmerge.album import pictures_in
from sdmerge.errors import FileError
from sdmerge.sample.draw import Drawer, Shot
from sdmerge.sample.settings import Sampling
from sdmerge.scoring.panel import Scored, Shown, open_picture
from sdmerge.scoring.prompts import Line
from sdmerge.scoring.statistics import Key


def drawn(
    drawer: Drawer,
    lines: Sequence[Line],
    seeds: Sequence[Sequence[int]],
    sampling: Sampling,
    batch: int = 8,
    *,
    cancel: threading.Event | None = None,
) -> Iterator[Shown]:
    """What is drawn: every prompt with every one of its seeds, prompt by prompt."""
    asked = [(place, seed) for place, own in enumerate(seeds) for seed in own]
    shots = [Shot(lines[place].prompt, seed, sampling) for place, seed in asked]
    pictures = drawer.draw(shots, batch=batch, cancel=cancel)
    for (place, seed), picture in zip(asked, pictures, strict=True):
        yield Shown(picture.image, lines[place], place, seed)


def read(folder: Path, lines: Sequence[Line]) -> Iterator[Shown]:
    """The pictures of a folder in the order of their names, as many for each line as for the next.

    Without lines each picture stands for a prompt of its own, of which nothing is known.
    """
    paths = pictures_in(folder)
    each = len(paths) // len(lines) if lines else 1
    if lines and each * len(lines) != len(paths):
        what = f"holds {len(paths)} pictures for {len(lines)} prompts"
        hint = "There should be one per prompt, or the same number for each, in order."
        raise FileError(what, where=str(folder), hint=hint)
    return _opened(paths, lines, each)


def _opened(paths: Sequence[Path], lines: Sequence[Line], each: int) -> Iterator[Shown]:
    for place, path in enumerate(paths):
        line = lines[place // each] if lines else Line("", "")
        yield Shown(open_picture(path), line, place // each, place % each)


def column(rows: Sequence[Scored], name: str) -> Mapping[Key, float]:
    """One scorer's numbers by prompt and place in it, for sdmerge.scoring.statistics."""
    seen: Counter[int] = Counter()
    found: dict[Key, float] = {}
    for row in rows:
        found[row.prompt, seen[row.prompt]] = row.scores[name]
        seen[row.prompt] += 1
    return found
