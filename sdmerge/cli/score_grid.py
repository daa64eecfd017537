"""`sdmerge score GRID`: scores for the cells of a grid, kept in it and shown along its axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sdmerge.cli.main import Session
from sdmerge.cli.scores import described, explain_scores
from sdmerge.errors import FileError, InputError
from sdmerge.sample.grid import placed, read_cells, read_grid
from sdmerge.sample.grid.folder import GRID
from sdmerge.scoring.prompts import Line


def is_grid(text: str) -> bool:
    """Whether it is a folder that `sdmerge grid` wrote."""
    return (Path(text) / GRID).is_file()


def score_grids(
    session: Session,
    folders: Sequence[str],
    given: Sequence[Line],
    options: Mapping[str, Any],
    *,
    check: Callable[[Sequence[Line]], None],
    panel: Callable[[], Any],
) -> None:
    """Score what the grids have no scores of, and print the means along their axes.

    `check` refuses lines that lack what the scorers need; `panel` opens the scorers.
    """
    _refuse_others(folders, options)
    grids = [Path(folder) for folder in folders]
    for folder in grids:
        check(_lines(folder, given))
    from sdmerge.sample.sweep.folder import claimed
    from sdmerge.sample.sweep.scoring import score_cells
    from sdmerge.sample.viewer import write_page

    judges = panel()
    found: list[dict[str, Any]] = []
    for folder in grids:
        with claimed(folder), session.output.progress("scoring", pieces="cells") as advance:
            scored = score_cells(
                folder, judges, given, batch=options["batch"], anew=options["force"], told=advance
            )
        write_page(folder)
        found.append({"grid": str(folder), "scored": scored, **_described(folder, judges.names)})
    quiet = "\n".join(line for one in found for line in _quiet(one))
    session.output.result({"grids": found}, quiet=quiet)
    for one in found:
        _explain(session, one)


def _refuse_others(folders: Sequence[str], options: Mapping[str, Any]) -> None:
    other = next((folder for folder in folders if not is_grid(folder)), None)
    if other is not None:
        hint = "Score grids in a command of their own: their cells keep the scores."
        raise InputError("is no grid, as others here are", where=other, hint=hint)
    for name, flag in (("check", "--sanity"), ("target", "-o")):
        if options[name]:
            hint = "A grid's scores are kept in its cells.jsonl."
            raise InputError(f"{flag} is for models and folders of pictures", hint=hint)


def _lines(folder: Path, given: Sequence[Line]) -> list[Line]:
    """What the cells should show; a grid without cells is an error."""
    from sdmerge.sample.sweep.scoring import lines_of

    cells = placed(read_grid(folder), read_cells(folder).values())
    if not cells:
        raise FileError("holds no cells yet", where=str(folder), hint="Draw it first.")
    return list(lines_of(cells.values(), given).values())


def _described(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """The means of the whole grid and along its axes, as data."""
    from sdmerge.sample.scored import column
    from sdmerge.sample.sweep.scoring import by_axis

    axes: list[dict[str, Any]] = []
    for name, labelled in by_axis(folder, names).items():
        scored = {one.label: one.rows for one in labelled}
        # of a grid that is still being drawn, pictures may have no counterparts
        paired = len({frozenset(column(rows, names[0])) for rows in scored.values()}) == 1
        first = dict(list(scored.items())[:1])
        data = described(scored if paired else first, names)
        if not paired:
            data["models"] = [
                described({k: rows}, names)["models"][0] for k, rows in scored.items()
            ]
        axes.append({"axis": name, **data})
    return {"axes": axes}


def _explain(session: Session, found: Mapping[str, Any]) -> None:
    session.output.text(f"{found['grid']}: {found['scored']} cells scored")
    for axis in found["axes"]:
        explain_scores(session.output, axis, axis["axis"] or "grid")


def _quiet(found: Mapping[str, Any]) -> Iterator[str]:
    for axis in found["axes"]:
        for one in axis["models"]:
            for name, score in one["scores"].items():
                yield f"{axis['axis']}\t{one['model']}\t{name}\t{score['mean']:.6g}"
