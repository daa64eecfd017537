"""Clean: models of the workspace that their recipe can make again, bit by bit."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdmerge.jobs.lineage import Ancestor, read_lineage
from sdmerge.jobs.model import Job
from sdmerge.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Removable:
    """A model that a job wrote, and what it takes up."""

    job: Job
    path: Path
    nbytes: int


def removable(jobs: Sequence[Job], workspace: Workspace) -> list[Removable]:
    """Models that may go: as their job wrote them, in the workspace, with every input still there.

    What another of them would be made of stays. Reads files to compare hashes that are not known.
    """
    found: list[Removable] = []
    needed: set[str] = set()
    for job in reversed(jobs):
        tree = read_lineage(job) if job.state == "done" else None
        if tree is None or needed & set(job.hashes.values()) or not _in_place(job, tree, workspace):
            continue
        found.append(Removable(job, tree.path, sum(Path(one).stat().st_size for one in job.hashes)))
        needed |= {digest for parent in tree.parents for digest in parent.hashes.values()}
    return found[::-1]


def remove(one: Removable) -> None:
    """Remove the model; its job, its recipe and its lineage stay."""
    if one.path.is_dir():
        shutil.rmtree(one.path)
    else:
        one.path.unlink()


def _in_place(job: Job, tree: Ancestor, workspace: Workspace) -> bool:
    """Whether the model is as it was written, and everything that it is made of is there."""
    inside = tree.path.resolve().is_relative_to(workspace.folder.resolve())
    files = {Path(file): digest for file, digest in job.hashes.items()}
    return (
        inside
        and bool(tree.parents)
        and all(_same(file, digest, workspace) for file, digest in files.items())
        and all(_there(parent, workspace) for parent in tree.parents)
    )


def _there(parent: Ancestor, workspace: Workspace) -> bool:
    folder = parent.path if parent.path.is_dir() else parent.path.parent
    return all(_same(folder / file, digest, workspace) for file, digest in parent.hashes.items())


def _same(file: Path, digest: str, workspace: Workspace) -> bool:
    from sdmerge.tensors.content import sha256_of

    return file.is_file() and sha256_of(file, workspace.hashes) == digest
