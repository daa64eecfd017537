"""Drawing a grid: recipe by recipe, what is not there yet, each cell on the disk at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sdmerge.live import LiveMerge
from sdmerge.sample.draw import Drawer, Picture, Shot
from sdmerge.sample.grid import (
    Cell,
    Grid,
    Value,
    append_cell,
    cell_id,
    has_picture,
    picture_path,
    read_cells,
)
from sdmerge.sample.picture import Record, save_picture
from sdmerge.sample.settings import Sampling
from sdmerge.sample.sweep.cells import Spot
from sdmerge.sample.sweep.scoring import score_cells
from sdmerge.sample.sweep.variants import Variant, recipe_text
from sdmerge.scoring.panel import Panel, Shown, open_picture

Told = Callable[[int, int], None]
"""Takes the cells done and those there were to do."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A grid that is to be drawn."""

    grid: Grid
    variants: tuple[Variant, ...]
    words: str = ""
    """What textual inversions are used, by their content."""

    @property
    def count(self) -> int:
        """Cells in all."""
        return sum(len(variant.spots) for variant in self.variants)


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did: pictures drawn, pictures that were there, cells scored, recipes merged."""

    drawn: int
    kept: int
    scored: int
    merged: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tools:
    """What draws and scores. Scorers of sets come when all cells are drawn."""

    live: LiveMerge
    drawer: Drawer
    panel: Panel | None = None
    batch: int = 8
    suffix: str = ".png"


@dataclass(slots=True)
class _Work:
    """What is left to do with one variant."""

    variant: Variant
    fresh: list[tuple[str, Spot]] = field(default_factory=list[tuple[str, Spot]])
    unscored: list[tuple[Cell, Spot]] = field(default_factory=list[tuple[Cell, Spot]])

    def __len__(self) -> int:
        return len(self.fresh) + len(self.unscored)


def draw_sweep(
    sweep: Sweep,
    folder: Path,
    tools: Tools,
    *,
    told: Told | None = None,
    cancel: threading.Event | None = None,
) -> Done:
    """Draw the cells that `folder`, which holds the sweep's grid, lacks, and score what has no
    score. Stopped at any time, it leaves a valid grid that the next call continues.
    """
    start = time.perf_counter()
    tools, sets = _apart(tools)
    works = list(_works(sweep, folder, tools.panel.names if tools.panel else ()))
    total, done = sum(map(len, works)), 0
    for work in works:
        if work.fresh:
            tools.live.show(work.variant.plan, cancel=cancel)
        if told is not None and not done:
            told(0, total)  # loading and the first merge say nothing of the time that is left
        for place, _ in enumerate(_cells(work, folder, tools, cancel), 1):
            # a batch comes at once
            if told is not None and (place % tools.batch == 0 or place == len(work)):
                told(done + place, total)
        done += len(work)
    drawn = sum(len(work.fresh) for work in works)
    scored = total if tools.panel else 0
    if sets is not None:
        scored = max(scored, score_cells(folder, sets, batch=tools.batch))
    return Done(
        drawn, sweep.count - drawn, scored,
        sum(bool(work.fresh) for work in works), time.perf_counter() - start,
    )  # fmt: skip


def _apart(tools: Tools) -> tuple[Tools, Panel | None]:
    """The tools without the scorers of sets, and these."""
    judges = tools.panel.judges if tools.panel is not None else ()
    panels = {
        of: Panel(own) if (own := tuple(one for one in judges if one.spec.of == of)) else None
        for of in ("picture", "set")
    }
    return replace(tools, panel=panels["picture"]), panels["set"]


def _works(sweep: Sweep, folder: Path, columns: Sequence[str]) -> Iterator[_Work]:
    known = read_cells(folder)
    for variant in sweep.variants:
        address = variant.address()
        work = _Work(variant)
        for spot in variant.spots:
            name = _id(spot, address, sweep.words)
            cell = known.get(name)
            if cell is None or not has_picture(folder, cell):
                work.fresh.append((name, spot))
            elif not set(columns) <= set(cell.scores):
                work.unscored.append((cell, spot))
        if len(work):
            yield work


def _id(spot: Spot, address: str, words: str) -> str:
    settings = {**_plain(spot.sampling), **({"embeddings": words} if words else {})}
    return cell_id(
        spot.values, recipe_id=address, prompt=spot.line.prompt, seed=spot.seed, settings=settings
    )


def _cells(
    work: _Work, folder: Path, tools: Tools, cancel: threading.Event | None
) -> Iterator[Cell]:
    """Every cell that is done, drawn and scored; scores come while the next batch is drawn."""
    waiting: deque[Cell] = deque()

    def shown() -> Iterator[Shown]:
        for cell, spot in work.unscored:
            waiting.append(cell)
            yield Shown(open_picture(picture_path(folder, cell)), spot.line, 0, spot.seed)
        for cell, spot, picture in _drawn(work, folder, tools, cancel):
            waiting.append(cell)
            yield Shown(picture.image, spot.line, 0, spot.seed)

    if tools.panel is None:
        for _ in shown():
            yield waiting.popleft()
        return
    for place, scored in enumerate(tools.panel.score(shown(), batch=tools.batch), 1):
        cell = waiting.popleft()
        cell = replace(cell, scores={**cell.scores, **scored.scores})
        append_cell(folder, cell, sync=_ends_batch(place, len(work), tools))
        yield cell


def _drawn(
    work: _Work, folder: Path, tools: Tools, cancel: threading.Event | None
) -> Iterator[tuple[Cell, Spot, Picture]]:
    if not work.fresh:
        return
    text, recipe_id = recipe_text(work.variant.recipe), work.variant.recipe_id
    shots = [Shot(spot.line.prompt, spot.seed, spot.sampling) for _, spot in work.fresh]
    pictures = tools.drawer.draw(shots, batch=tools.batch, cancel=cancel)
    for place, ((name, spot), picture) in enumerate(zip(work.fresh, pictures, strict=True), 1):
        file = f"cells/{name}{tools.suffix}"
        cell = Cell(
            name, spot.values, spot.line.prompt, spot.seed, file, recipe_id,
            seconds=round(picture.seconds, 4),
            caption=spot.line.caption if spot.line.caption != spot.line.prompt else "",
        )  # fmt: skip
        record = Record(
            cell.prompt, cell.seed, text, recipe_id, _plain(picture.sampling), spot.values
        )
        save_picture(picture.image, folder / file, record)
        append_cell(folder, cell, sync=_ends_batch(place, len(work.fresh), tools))
        yield cell, spot, picture


def _ends_batch(place: int, count: int, tools: Tools) -> bool:
    """Whether the disk is waited for: once per batch, as a power cut is all that it is for."""
    return place % tools.batch == 0 or place == count


def _plain(sampling: Sampling) -> Mapping[str, Value]:
    """The settings that are not left to the model."""
    return {name: value for name, value in asdict(sampling).items() if value not in (None, "")}
