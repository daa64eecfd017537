"""The gallery: the winner beside its parents, the same prompts and the same noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sdmerge.evolve.exam import Exam
from sdmerge.evolve.export.contest import TestRun
from sdmerge.evolve.export.history import Contender
from sdmerge.recipe import recipe_id
from sdmerge.sample.contact import contact_sheet
from sdmerge.sample.grid import Axis, Cell, Grid, append_cell, cell_id, create, picture_path
from sdmerge.sample.picture import Record, save_picture
from sdmerge.sample.sheet import save
from sdmerge.sample.sweep.variants import recipe_text
from sdmerge.tensors.partial_folder import whole_folder

FOLDER = "test"


def write_gallery(study: Path, run: TestRun, contenders: Sequence[Contender], exam: Exam) -> Path:
    """The kept pictures of a test as a grid in the study's folder, in place of an older one."""
    places = sorted({place for _, place in run.pictures})
    lines = [exam.lines[place].prompt for place in places]
    axes = (
        Axis("model", tuple(one.name for one in contenders)),
        Axis("prompt", tuple(places), tuple(lines)),
    )
    with whole_folder(study / FOLDER) as partial:
        create(partial, Grid(axes, f"{study.name}: test"))
        for one in contenders:
            _append(partial, one, run, exam, places)
    return study / FOLDER


def _append(folder: Path, one: Contender, run: TestRun, exam: Exam, places: Sequence[int]) -> None:
    """Write the cells of one contender."""
    text, identity = recipe_text(one.recipe), recipe_id(one.recipe)
    sampling = dict(one.sampling)
    for place in places:
        values = {"model": one.name, "prompt": place}
        prompt, seed = exam.lines[place].prompt, exam.seeds[place][0]
        name = cell_id(values, recipe_id=identity, prompt=prompt, seed=seed, settings=sampling)
        scores = {column: rows[place][0] for column, rows in _scores(run, one.name).items()}
        cell = Cell(name, values, prompt, seed, f"cells/{name}.png", identity, scores)
        record = Record(prompt, seed, text, identity, sampling, values)
        save_picture(run.pictures[one.name, place], picture_path(folder, cell), record)
        append_cell(folder, cell)


def gallery_sheet(study: Path, path: Path) -> bool:
    """The gallery as one picture; False if the study has none."""
    if not (study / FOLDER).is_dir():
        return False
    save(contact_sheet(study / FOLDER).image, path)
    return True


def _scores(run: TestRun, name: str) -> dict[str, tuple[tuple[float, ...], ...]]:
    return next(dict(one.evaluation.scores) for one in run.sat if one.name == name)
