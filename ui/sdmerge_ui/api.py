"""API: the eight functions that other programs may call, over HTTP and by MCP. No other is public.

What they take and give are texts, numbers and plain data; a mistake is an error in words.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from gradio.events import api

from sdmerge_ui.library import InputError, Job, SdmergeError, read_origin, to_yaml
from sdmerge_ui.merge.planned import planned
from sdmerge_ui.merge.preview import drawn
from sdmerge_ui.merge.saving import save_model
from sdmerge_ui.place import Place
from sdmerge_ui.texts import Words
from sdmerge_ui.wire import AT_ONCE

NAMES = ("plan", "merge", "preview", "grid", "score", "job", "cancel", "recipe")


class Api:
    """The functions, for a place."""

    def __init__(self, place: Place) -> None:
        self._place, self._words = place, Words("en")

    def plan(self, recipe: str) -> dict[str, Any]:
        """What a merge recipe (YAML text) would do, without reading a tensor: counts, bytes, notes.

        A mistake in the recipe is the key `error`: what, where, and what to do about it.
        """
        return planned(self._place, self._words, recipe)

    def merge(self, recipe: str, name: str) -> dict[str, Any]:
        """Write the model of a recipe into the workspace as `name`; the job that does it."""
        return _told(save_model(self._place, recipe, name))

    def preview(self, recipe: str, prompts: list[str], seed: int = 0) -> list[str]:
        """Draw prompts with a recipe, without writing a model; the addresses of the pictures."""
        value = drawn(
            self._place, self._words, recipe, prompts="\n".join(prompts), seed=seed, steps=None,
            owner="", before={},
        )  # fmt: skip
        return [one["address"] for one in value["pictures"]]

    def grid(self, recipe: str, x: str, prompts: list[str], seeds: int = 1) -> dict[str, Any]:
        """Draw a grid of a recipe over an axis such as `parameters.t=0:1:0.25`; its job."""
        self._place.plan(recipe)
        asked = ["grid", "{run}/recipe.yaml", "--x", x, "--seeds", str(seeds), "-o", "{run}/grid"]
        for prompt in prompts:
            asked += ["-p", prompt]
        place = self._place
        return _told(place.jobs.submit(place.request(*asked, *place.flags), recipe=recipe))

    def score(self, recipe: str, scorer: str, prompts: list[str]) -> dict[str, Any]:
        """Score what a recipe draws, with a scorer such as `clip,model=FOLDER`; its job."""
        self._place.plan(recipe)
        place = self._place
        for setting in scorer.split(",")[1:]:
            place.confined.check(setting.partition("=")[2])
        asked = ["score", "{run}/recipe.yaml", "--with", scorer]
        asked += ["--prompts", str(place.keep_lines(prompts))]
        return _told(place.jobs.submit(place.request(*asked, *place.flags), recipe=recipe))

    def job(self, number: int) -> dict[str, Any]:
        """How a job is: its state, how far it is, what it wrote, what went wrong."""
        jobs = self._place.jobs
        progress = jobs.progress(number)
        told = _told(jobs.get(number))
        return {
            **told,
            "progress": dict(progress.data) if progress else None,
            "result": _unfiled(jobs.result(number)),
        }

    def cancel(self, number: int) -> dict[str, Any]:
        """Ask a job to stop."""
        return _told(self._place.jobs.cancel(number))

    def recipe(self, name: str) -> str:
        """A recipe's YAML by its file's name, its id or a run's number, or of a merged model."""
        found = self._place.find_recipe(name)
        if found is None and (entry := self._place.entry(name)) is not None:
            found = to_yaml(read_origin(entry.path).recipe)
        if found is None:
            raise InputError(f"there is no recipe '{name}'", hint="Name a file, an id or a run.")
        return found


def expose(place: Place) -> None:
    """Name the functions, within a page."""
    functions = Api(place)
    for name in NAMES:
        api(_erring(getattr(functions, name)), api_name=name, concurrency_limit=AT_ONCE)


def _erring(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose errors of ours reach the caller in words."""

    @functools.wraps(function)
    def calling(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except SdmergeError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return calling


def _unfiled(value: Any) -> Any:
    """The value with `file` for `path`: what has a path, Gradio's clients try to download."""
    match value:
        case Mapping():
            named = {("file" if key == "path" else key): one for key, one in value.items()}
            return {key: _unfiled(one) for key, one in named.items()}
        case list():
            return [_unfiled(one) for one in value]
        case _:
            return value


def _told(job: Job) -> dict[str, Any]:
    return {
        "number": job.number, "kind": job.kind, "title": job.title, "state": job.state,
        "error": str(job.error) if job.error else None,
        "results": [str(path) for path in job.results],
    }  # fmt: skip
