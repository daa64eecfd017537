"""Handlers: what the workbench does when its controls say something."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import gradio as gr

from sdmerge_ui import edits
from sdmerge_ui.frame import Frame
from sdmerge_ui.library import (
    Cancelled,
    RecipeError,
    SdmergeError,
    documents,
    rewritten,
    rolled,
    row,
)
from sdmerge_ui.measure import Measured, started
from sdmerge_ui.merge import saving
from sdmerge_ui.merge.command import command
from sdmerge_ui.merge.planned import planned
from sdmerge_ui.merge.preview import drawn
from sdmerge_ui.merge.view import MERGED, View, read_row
from sdmerge_ui.place import SAMPLES, Place
from sdmerge_ui.state import Draft

Curve = tuple[str, str]
"""What has a value per group: its address, and what the groups are."""


class Handlers:
    """The events of the workbench, for a page."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._place, self._words = frame, frame.place, frame.words

    def view(self, draft: Draft) -> View:
        """The draft, for people."""
        return View(self._place, self._words, draft.text)

    def show(self, draft: Draft, curve: Curve, name: str, where: str) -> Any:
        """Ingredients, form, blocks, components, output, command and text."""
        try:
            now = self.view(draft)
        except RecipeError:
            return (*[gr.skip()] * 6, draft.text)
        line = command(self._place, draft.text, name, where)
        parts = [now.form(), now.blocks(*curve), now.components(), now.output()]
        return now.ingredients(), *parts, line, draft.text

    def check(self, draft: Draft) -> Any:
        """What the draft would do."""
        return planned(self._place, self._words, draft.text)

    def edit(self, draft: Draft, event: gr.EventData) -> Draft:
        """A control was moved."""
        asked = said(event)
        text = draft.text
        for address, value in asked["edits"]:
            text = edits.put(text, address, given(text, address, value))
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
            return gr.skip(), (asked["address"], asked["per"]), *[gr.skip()] * 3
        now = self.view(draft)
        if asked["do"] == "measure":
            measured = started(self._place, *(now.pair or ("", "")))
            dock = self._frame.open_dock()
            return *[gr.skip()] * 2, measured, dock, gr.Timer(active=True)
        values = shaped(asked, self._place.blocks(now.names))
        text = edits.put(draft.text, asked["address"], {"per": "block", "values": values})
        return draft.edit(text), *[gr.skip()] * 4

    def poll(self, measured: Measured, draft: Draft, curve: Curve) -> Any:
        """Look after a measurement: itself, the blocks and the clock."""
        later = measured.looked(self._place)
        if later.number is not None:
            return gr.skip(), gr.skip(), gr.skip()
        if later.error:
            gr.Warning(later.error, title="sdmerge")
        return later, self.view(draft).blocks(*curve), gr.Timer(active=False)

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

    def save_model(self, draft: Draft, name: str, where: str) -> Any:
        """Begin the job that writes the model."""
        job = saving.save_model(self._place, draft.text, name, where)
        return draft.was_run(job.number), self._frame.open_dock()

    def save_recipe(self, draft: Draft, name: str) -> Any:
        """Write the recipe into the workspace."""
        path = self._place.save_recipe(name, draft.text)
        gr.Info(self._words("merge.kept", path=path), title="sdmerge")
        return self.sources()

    def sources(self) -> gr.Dropdown:
        """What can be loaded."""
        return gr.Dropdown(choices=saving.sources(self._place))

    def load(self, draft: Draft, source: str | None) -> Draft:
        """Another recipe; the same one where the menu was left without a choice."""
        return draft.edit(saving.load(self._place, source)) if source else draft

    def load_picture(self, draft: Draft, data: bytes) -> Draft:
        """The recipe of a picture."""
        return draft.edit(saving.from_picture(data))

    def roll(self, draft: Draft, seed: float | None, last: int) -> Any:
        """Throw dice for every fraction of the method: the draft, and twice the seed of the throw.

        It is a new one, unless somebody put one into the box.
        """
        thrown = random.randrange(10_000) if seed is None or seed == last else int(seed)
        text = draft.text
        for address, value in rolled(edits.stage_of(text), thrown).items():
            text = edits.put(text, address, value)
        return draft.edit(text), thrown, thrown

    def take(self, draft: Draft, text: str) -> Draft:
        """The recipe as it was typed; a mistake in its YAML leaves the draft as it is."""
        documents(text)
        return draft.edit(text)


def given(text: str, address: str, value: Any) -> Any:
    """What a control means for a recipe; None where it says nothing that holds without it."""
    if value == "" or (address == "output.prune" and value is False):
        return None
    if address.startswith("components.") and isinstance(value, str):
        if value == MERGED:
            return {"merge_method": edits.stage_of(text).get("merge_method")}
        return {"take": value}
    return value


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
    return draft.edit(rewritten(text, data))
