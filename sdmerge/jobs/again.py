"""Again: what was run once as a new run, which overwrites nothing of the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from sdmerge.jobs.jobs import Jobs
from sdmerge.jobs.model import HERE, TARGETS, Job, Request


def again(jobs: Jobs, number: int) -> Job:
    """Submit what run `number` does, by the recipe it had; the new job.

    A file that it writes gets the next free name, such as soup-2.safetensors for soup.safetensors.
    """
    job, request = jobs.get(number), jobs.asked(number)
    own = any(HERE in word and word.endswith(job.recipe.name) for word in request.arguments)
    recipe = job.recipe.read_text("utf-8") if own and job.recipe.is_file() else ""
    arguments = tuple(_free(request))
    is_moved = arguments != request.arguments
    title = replace(request, arguments=arguments).title if is_moved else job.title
    return jobs.submit(replace(request, arguments=arguments), title=title, recipe=recipe)


def _free(request: Request) -> Iterator[str]:
    """The arguments, with targets that are not there yet."""
    before = ""
    for word in request.arguments:
        is_outside = before in TARGETS and HERE not in word
        yield _next_name(word, request.folder) if is_outside else word
        before = word


def _next_name(target: str, folder: Path) -> str:
    path = Path(target)
    if not (folder / path).exists():
        return target
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return str(next(one for one in names if not (folder / one).exists()))
