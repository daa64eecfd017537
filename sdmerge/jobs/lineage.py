"""Lineage: what a model was made of, and what that was made of, by the hashes that are recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sdmerge.errors import SdmergeError
from sdmerge.jobs.model import Job
from sdmerge.written import written

_FILE = "lineage.json"
_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A model of the tree. `path` is where it lay when the tree was drawn.

    hashes: The sha256 of each of its files.
    method: How it was merged; "" for a model that is none of ours.
    run: The number of the job that wrote it, if it is known.
    """

    name: str
    path: Path
    hashes: Mapping[str, str]
    method: str = ""
    recipe_id: str = ""
    run: int | None = None
    parents: tuple[Ancestor, ...] = ()

    def lines(self, indent: str = "") -> Iterator[str]:
        """The tree for people, a line per model."""
        made = f" · run {self.run}" if self.run is not None else ""
        yield f"{indent}{self.name}{f' ← {self.method}' if self.method else ''}{made}"
        for parent in self.parents:
            yield from parent.lines(f"{indent}  ")


def keep_lineage(job: Job, path: Path, jobs: list[Job]) -> None:
    """Write down, with the job, what the model at `path` was made of. Loads torch."""
    tree = _traced(Ancestor(path.stem, path, job.hashes, run=job.number), jobs, _DEPTH)
    if tree.method:
        with written(job.run / _FILE) as partial:
            text = json.dumps(asdict(tree), ensure_ascii=False, indent=1, default=str)
            partial.write_text(text, "utf-8")


def read_lineage(job: Job) -> Ancestor | None:
    """What the job's model was made of; None if it wrote none."""
    file = job.run / _FILE
    return _read(json.loads(file.read_text("utf-8"))) if file.is_file() else None


def _traced(leaf: Ancestor, jobs: list[Job], depth: int) -> Ancestor:
    """The model with what it was made of, as far as files say so."""
    from sdmerge.sinks.provenance import read_origin

    if not depth:
        return leaf
    try:
        origin = read_origin(leaf.path)
    except (SdmergeError, OSError):
        return _remembered(leaf, jobs)
    known = origin.known
    parents: list[Ancestor] = []
    for one in origin.inputs:
        own = known.get(one["path"], Path(one["path"]))
        maker = _maker(one["sha256"], jobs, leaf.run)
        parent = Ancestor(one["name"], own.resolve(), one["sha256"], run=maker)
        parents.append(_traced(parent, jobs, depth - 1))
    return replace(
        leaf, method=origin.recipe.stages[-1].method, recipe_id=origin.recipe_id,
        parents=tuple(parents),
    )  # fmt: skip


def _remembered(leaf: Ancestor, jobs: list[Job]) -> Ancestor:
    """For a file that is gone: the tree that was kept when it was written."""
    made = next((job for job in jobs if job.number == leaf.run), None)
    tree = read_lineage(made) if made is not None and not leaf.path.exists() else None
    if tree is None:
        return leaf
    return replace(leaf, method=tree.method, recipe_id=tree.recipe_id, parents=tree.parents)


def _maker(hashes: Mapping[str, str], jobs: list[Job], but: int | None) -> int | None:
    """The number of the latest job that wrote files of just these hashes."""
    wanted = set(hashes.values())
    found = (
        job.number for job in reversed(jobs)
        if wanted and job.number != but and wanted <= set(job.hashes.values())
    )  # fmt: skip
    return next(found, None)


def _read(data: Mapping[str, Any]) -> Ancestor:
    parents = tuple(_read(one) for one in data["parents"])
    values: dict[str, Any] = {**data, "path": Path(data["path"]), "parents": parents}
    return Ancestor(**values)
