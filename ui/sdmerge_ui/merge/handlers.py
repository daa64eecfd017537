"""Handlers: what the workbench does when its controls say something."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import gradio as gr

from sdmerge_ui import edits
from sdmerge_ui.frame import Frame
from sdmerge_ui.library import Cancelled, RecipeError, SdmergeError, documents, row
from sdmerge_ui.measure import Measured, started
from sdmerge_ui.merge import saving
from sdmerge_ui.merge.command import command
from sdmerge_ui.merge.planned import planned
from sdmerge_ui.merge.preview import drawn
from sdmerge_ui.merge.view import View, read_row
from sdmerge_ui.place import SAMPLES, Place
from sdmerge_ui.state import Draft


class Handlers:
    """The events of the workbench, for a page."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._place, self._words = frame, frame.place, frame.words

    def view(self, draft: Draft) -> View:
        """The draft, for people."""
        return View(self._place, self._words, draft.text)

    def show(self, draft: Draft, curve: str, name: str) -> Any:
        """Ingredients, form, blocks, output, command and text."""
        try:
            now = self.view(draft)
        except RecipeError:
            return (*[gr.skip()] * 5, draft.text)
        line = command(self._place, draft.text, name)
        blocks = now.blocks(curve)
        return now.ingredients(), now.form(), blocks, now.output(), line, draft.text

    def check(self, draft: Draft) -> Any:
        """What the draft would do."""
        return planned(self._place, self._words, draft.text)

    def edit(self, draft: Draft, event: gr.EventData) -> Draft:
        """A control was moved."""
        asked = said(event)
        text = draft.text
        for address, value in asked["edits"]:
            text = edits.put(text, address, None if value == "" else value)
        return draft.edit(text, asked["gesture"])

    def act(self, draft: Draft, event: gr.EventData) -> Any:
        """A button of the ingredients: the draft, and whether previews follow it."""
        asked = said(event)
        if asked["do"] == "try":
            return tried(self._place, draft), True
        return draft.edit(acted(draft.text, asked)), gr.skip()

    def block(self, draft: Draft, event: gr.EventData) -> Any:
        """A button of the blocks: draft, curve, measurement, dock and clock."""
        asked = said(event)
        if asked["do"] == "curve":
            return gr.skip(), asked["address"], *[gr.skip()] * 3
        now = self.view(draft)
        if asked["do"] == "measure":
            measured = started(self._place, *(now.pair or ("", "")))
            dock = self._frame.open_dock()
            return *[gr.skip()] * 2, measured, dock, gr.Timer(active=True)
        values = shaped(asked, self._place.blocks(now.names))
        text = edits.put(draft.text, asked["address"], {"per": "block", "values": values})
        return draft.edit(text), *[gr.skip()] * 4

    def poll(self, measured: Measured, draft: Draft, curve: str) -> Any:
        """Look after a measurement: itself, the blocks and the clock."""
        later = measured.looked(self._place)
        if later.number is not None:
            return gr.skip(), gr.skip(), gr.skip()
        if later.error:
            gr.Warning(later.error, title="sdmerge")
        return later, self.view(draft).blocks(curve), gr.Timer(active=False)

    def draw(
        self, draft: Draft, prompts: str, seed: float | None, steps: float | None, before: Any,
        request: gr.Request,
    ) -> Any:  # fmt: skip
        """The preview, or why there is none."""
        try:
            return drawn(
                self._place, self._words, draft.text, prompts=prompts, seed=int(seed or 0),
                steps=int(steps) if steps else None, owner=str(request.session_hash),
                before=before or {},
            )  # fmt: skip
        except Cancelled:
            return gr.skip()
        except SdmergeError as error:
            return {"pictures": [], "error": str(error)}

    def follow(
        self, wanted: bool, draft: Draft, prompts: str, seed: float | None, steps: float | None,
        before: Any, request: gr.Request,
    ) -> Any:  # fmt: skip
        """The preview of every change, where that is wanted."""
        if not wanted or not self.view(draft).names:
            return gr.skip()
        return self.draw(draft, prompts, seed, steps, before, request)

    def save_model(self, draft: Draft, name: str) -> Any:
        """Begin the job that writes the model."""
        job = saving.save_model(self._place, draft.text, name)
        return draft.was_run(job.number), self._frame.open_dock()

    def save_recipe(self, draft: Draft, name: str) -> Any:
        """Write the recipe into the workspace."""
        path = self._place.save_recipe(name, draft.text)
        gr.Info(self._words("merge.kept", path=path), title="sdmerge")
        return self.sources()

    def sources(self) -> gr.Dropdown:
        """What can be loaded."""
        return gr.Dropdown(choices=saving.sources(self._place))

    def load(self, draft: Draft, source: str) -> Draft:
        """Another recipe."""
        return draft.edit(saving.load(self._place, source))

    def load_picture(self, draft: Draft, data: bytes) -> Draft:
        """The recipe of a picture."""
        return draft.edit(saving.from_picture(data))

    def roll(self, draft: Draft) -> Draft:
        """Throw dice for every number of the method, within what its slider shows."""
        text = draft.text
        for field in self.view(draft).fields():
            if field["kind"] == "float" and "low" in field:
                value = round(random.uniform(field["low"], field["high"]), 2)
                text = edits.put(text, field["address"], value)
        return draft.edit(text)

    def take(self, draft: Draft, text: str) -> Draft:
        """The recipe as it was typed; a mistake in its YAML leaves the draft as it is."""
        documents(text)
        return draft.edit(text)


def said(event: gr.EventData) -> dict[str, Any]:
    """What an element said."""
    return event._data


def acted(text: str, asked: dict[str, Any]) -> str:
    """The recipe after a button of the ingredients."""
    match asked["do"]:
        case "add":
            return edits.add(text, str(asked["name"]))
        case "base":
            return edits.use_as_base(text, str(asked["name"]) or None)
        case "drop":
            return edits.drop(text, int(asked["place"]))
        case "move":
            return edits.move(text, int(asked["place"]), int(asked["to"]))
        case "method":
            return edits.use_method(text, str(asked["name"]))
        case _:
            return text


def shaped(asked: dict[str, Any], labels: Sequence[str]) -> dict[str, float]:
    """Values per block by a preset's name, or from a row of numbers."""
    if asked["do"] == "preset":
        numbers = row(str(asked["name"]), len(labels) - 1)
        return {label: round(number, 4) for label, number in zip(labels, numbers, strict=True)}
    return read_row(str(asked["text"]), labels)


def tried(place: Place, draft: Draft) -> Draft:
    """The draft with the first recipe of the samples, whose models are among the roots."""
    text = (SAMPLES.parent / "recipes" / "first.yaml").read_text("utf-8")
    data = documents(text)
    names = {entry.name for entry in place.inventory.entries()}
    for stage in data:
        for owner, key in [(stage, "base_model"), *((one, "model") for one in stage["models"])]:
            short = "/".join(str(owner[key]).split("/")[2:])
            owner[key] = short if short in names else str(SAMPLES.parent / str(owner[key]))
    return draft.edit(edits.text_of(data))
