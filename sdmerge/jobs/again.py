"""Again: what was run once as a new run, which overwrites nothing of the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from sdmerge.jobs.jobs import Jobs
from sdmerge.jobs.model import HERE, TARGETS, Job, Request
from sdmerge.targets import split_target


def again(jobs: Jobs, number: int) -> Job:
    """Submit what run `number` does, by the recipe it had; the new job.

    A file that it writes gets the next free name, such as soup-2.safetensors for soup.safetensors.
    """
    job, request = jobs.get(number), jobs.asked(number)
    own = any(HERE in word and word.endswith(job.recipe.name) for word in request.arguments)
    recipe = job.recipe.read_text("utf-8") if own and job.recipe.is_file() else ""
    arguments = tuple(_free(request, job.results))
    is_moved = arguments != request.arguments
    title = replace(request, arguments=arguments).title if is_moved else job.title
    return jobs.submit(replace(request, arguments=arguments), title=title, recipe=recipe)


def _free(request: Request, results: Sequence[Path]) -> Iterator[str]:
    """The arguments, with targets that are not there yet."""
    before = ""
    for word in request.arguments:
        is_outside = before in TARGETS and HERE not in word
        yield _next_name(word, request.folder, results) if is_outside else word
        before = word


def _next_name(target: str, folder: Path, results: Sequence[Path]) -> str:
    """The target, or the first of its numbered names under which nothing lies."""
    host, name = split_target(target)
    path, known = Path(name), folder / name
    if host:  # only the merge itself knows in which of a host's folders
        ends = [one for one in results if one.parts[-len(path.parts) :] == path.parts]
        if not ends:
            return target
        known = ends[0]
    if not known.exists():
        return target
    names = (f"{path.stem}-{number}{path.suffix}" for number in count(2))
    free = path.with_name(next(one for one in names if not known.with_name(one).exists()))
    return f"{host}:{free.as_posix()}" if host else str(free)
