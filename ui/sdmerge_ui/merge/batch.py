"""Batch: several recipes, or values put into one, each a model with a name of its own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import gradio as gr

from sdmerge_ui.element import element
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import InputError, Named, SdmergeError, edited, names, points
from sdmerge_ui.merge import saving
from sdmerge_ui.merge.command import head
from sdmerge_ui.place import Place
from sdmerge_ui.state import Draft
from sdmerge_ui.wire import on, wire

TEMPLATE = "{name}-{method}"
_DRAFT = "recipe"
_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the panel says. recipes: Files of the workspace; none means the draft alone."""

    recipes: Sequence[str]
    sweeps: Sequence[str]
    template: str
    where: str = ""


def build(frame: Frame, where: gr.Dropdown) -> None:
    """The panel; `where` says where models are saved."""
    place, words, draft = frame.place, frame.words, frame.draft
    with gr.Accordion(words("batch.title"), open=False):
        recipes = gr.Dropdown(
            [], label=words("batch.recipes"), multiselect=True, elem_id="sd-batch-recipes"
        )
        with gr.Row():
            sweeps = gr.Textbox(
                "", label=words("batch.sweeps"), placeholder="t=0:1:0.25", lines=1, max_lines=4,
                elem_id="sd-batch-sweeps",
            )  # fmt: skip
            template = gr.Textbox(
                TEMPLATE, label=words("batch.template"), max_lines=1, elem_id="sd-batch-template"
            )
        listed = element("batch", words, {"empty": words("batch.empty")})

    def wanted(chosen: list[str] | None, lines: str, name: str, host: str) -> Wanted:
        rows = [line.strip() for line in lines.splitlines() if line.strip()]
        return Wanted(chosen or [], rows, name, host)

    def show(now: Draft, *asked: Any) -> Any:
        one = wanted(*asked)
        if not one.recipes and not one.sweeps:
            return {"empty": words("batch.empty")}
        try:
            found = [name for name, _, _ in named(place, now.text, one)]
        except SdmergeError as error:
            return {"error": str(error)}
        return {"names": found, "line": line_of(place, one)}

    def begin(now: Draft, *asked: Any) -> Any:
        numbers = start(place, now.text, wanted(*asked))
        gr.Info(words("batch.queued", count=len(numbers)), title="sdmerge")
        return frame.open_dock()

    fields = [recipes, sweeps, template, where]
    wire(recipes.focus, lambda: gr.Dropdown(choices=place.recipe_names()), None, [recipes])
    changed = on(*(one.change for one in fields), draft.change)
    wire(changed, show, [draft, *fields], [listed])
    wire(listed.act, begin, [draft, *fields], [frame.dock], mode="once", turn=TURN)


def named(place: Place, text: str, wanted: Wanted) -> list[tuple[str, str, Named]]:
    """Name, recipe and facts of every merge; an InputError if one cannot be named."""
    texts = {PurePath(one).stem: place.read_recipe(one) for one in wanted.recipes}
    found: list[tuple[str, Named]] = []
    for title, own in (texts or {_DRAFT: text}).items():
        for point in points(wanted.sweeps):
            settled = edited(own, point.settings) if point.settings else own
            found.append((settled, Named(title, place.parse(settled), point.values)))
    if not wanted.template.strip():
        raise InputError("there is no name", hint=f"For example {TEMPLATE}.")
    filled = names(wanted.template.strip().removesuffix(_SUFFIX), [one for _, one in found])
    return [(name, *one) for name, one in zip(filled, found, strict=True)]


def start(place: Place, text: str, wanted: Wanted) -> list[int]:
    """The numbers of the jobs. Every merge is planned, and its name free, before the first."""
    made = [
        (own, saving.target_of(place, place.plan_of(one.recipe), name, wanted.where))
        for name, own, one in named(place, text, wanted)
    ]
    return [saving.begin(place, own, target).number for own, target in made]


def line_of(place: Place, wanted: Wanted) -> str:
    """The same by the command line."""
    recipes = [str(place.workspace.recipes / one) for one in wanted.recipes]
    sweeps = [word for one in wanted.sweeps for word in ("--sweep", one)]
    name = f"{wanted.template.strip().removesuffix(_SUFFIX)}{_SUFFIX}"
    target = f"{wanted.where}:{name}" if wanted.where else str(place.workspace.models / name)
    own = recipes or [f"{_DRAFT}.yaml"]
    return shlex.join([*head(place), "merge", *own, *sweeps, "-o", target, "--background"])
