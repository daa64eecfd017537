"""Merge: the workbench. Controls edit the draft; what it would do and draw stands beside."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import gradio as gr

from sdmerge_ui import edits
from sdmerge_ui.element import element
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import RecipeError, SdmergeError, documents, row
from sdmerge_ui.measure import Measured, started
from sdmerge_ui.merge import saving
from sdmerge_ui.merge.command import command
from sdmerge_ui.merge.planned import planned
from sdmerge_ui.merge.preview import drawn, probe_prompts
from sdmerge_ui.merge.view import View, read_row
from sdmerge_ui.place import SAMPLES, Place
from sdmerge_ui.state import EMPTY, Draft
from sdmerge_ui.wire import on, wire

NAME = "merge"


def build(frame: Frame) -> None:
    """The tab."""
    place, words = frame.place, frame.words
    view = View(place, words, EMPTY)
    with gr.Row():
        with gr.Column(scale=7, min_width=420):
            ingredients = element("ingredients", words, view.ingredients({}), parts=("models",))
            form = element("form", words, view.form({}))
            with gr.Accordion(words("merge.blocks"), open=False):
                blocks = element("blocks", words, view.blocks(""))
            with gr.Accordion(words("merge.output"), open=True):
                output = element("form", words, view.output({}))
        with gr.Column(scale=5, min_width=320):
            plan = element("plan", words, {"empty": words("plan.empty")})
            pictures = element("pictures", words, {"pictures": []})
            prompts = gr.Textbox(probe_prompts(place), label=words("merge.prompts"), lines=3,
                                 elem_id="sd-prompts")  # fmt: skip
            with gr.Row():
                seed = gr.Number(
                    7, label=words("merge.preview_seed"), precision=0, minimum=0, min_width=90
                )
                steps = gr.Number(
                    0, label=words("merge.steps"), precision=0, minimum=0, min_width=90
                )
                live = gr.Checkbox(False, label=words("merge.live"), min_width=120)
            with gr.Row():
                preview = gr.Button(words("merge.preview"), variant="primary", elem_id="sd-preview")
                dice = gr.Button(words("merge.dice"), elem_id="sd-dice")
    with gr.Row(elem_classes=["lower"]):
        name = gr.Textbox(label=words("merge.name"), placeholder="anime-photo", scale=3, max_lines=1,
                          elem_id="sd-name")  # fmt: skip
        save = gr.Button(
            words("merge.save_model"), variant="primary", elem_id="sd-save-model", scale=2
        )
        keep = gr.Button(words("merge.save_recipe"), elem_id="sd-save-recipe", scale=2)
        source = gr.Dropdown([], label=words("merge.load"), scale=4, elem_id="sd-load")
        picture = gr.UploadButton(words("merge.from_picture"), file_types=[".png", ".webp"],
                                  type="binary", scale=2)  # fmt: skip
    line = element("command", words, command(place, EMPTY, ""))
    with gr.Accordion(words("merge.yaml"), open=False):
        text = gr.Textbox(EMPTY, label=words("merge.yaml_label"), lines=12, elem_id="sd-yaml",
                          elem_classes=["code"], buttons=["copy"])  # fmt: skip
        with gr.Row():
            take = gr.Button(words("merge.take_yaml"))
            download = gr.Button(words("merge.download"))
    curve, measured = gr.State(""), gr.State(Measured())
    clock = gr.Timer(1, active=False)
    controls = [ingredients, form, blocks, output, line, text]

    def show(draft: Draft, address: str, called: str) -> Any:
        try:
            now = View(place, words, draft.text)
        except RecipeError:
            return (*[gr.skip()] * (len(controls) - 1), draft.text)
        return (now.ingredients({}), now.form({}), now.blocks(address), now.output({}),
                command(place, draft.text, called), draft.text)  # fmt: skip

    def check(draft: Draft) -> Any:
        told, errors = planned(place, words, draft.text)
        if not errors:
            return told, gr.skip(), gr.skip(), gr.skip()
        now = View(place, words, draft.text)
        return told, now.ingredients(errors), now.form(errors), now.output(errors)

    def edit(draft: Draft, event: gr.EventData) -> Draft:
        asked: dict[str, Any] = event._data  # pyright: ignore[reportPrivateUsage]
        changed = draft.text
        for address, value in asked["edits"]:
            changed = edits.put(changed, address, None if value == "" else value)
        return draft.edit(changed, asked["gesture"])

    def act(draft: Draft, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data  # pyright: ignore[reportPrivateUsage]
        if asked["do"] == "try":
            return tried(place, draft), True
        return draft.edit(acted(draft.text, asked)), gr.skip()

    def block(draft: Draft, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data  # pyright: ignore[reportPrivateUsage]
        if asked["do"] == "curve":
            return gr.skip(), asked["address"], *[gr.skip()] * 3
        names = View(place, words, draft.text).names
        if asked["do"] == "measure":
            first, second = (names[0], names[-1]) if len(names) > 1 else ("", "")
            now = started(place, first, second)
            return *[gr.skip()] * 2, now, frame.open_dock(), gr.Timer(active=True)
        values = shaped(asked, place.blocks(names))
        changed = edits.put(draft.text, asked["address"], {"per": "block", "values": values})
        return draft.edit(changed), *[gr.skip()] * 4

    def draw(draft: Draft, asked: str, seed_: float, steps_: float | None, before: Any,
             request: gr.Request) -> Any:  # fmt: skip
        try:
            return drawn(place, words, draft.text, prompts=asked, seed=int(seed_ or 0),
                         steps=int(steps_) if steps_ else None, owner=str(request.session_hash),
                         before=before or {})  # fmt: skip
        except SdmergeError as error:
            if error.exit_code == 130:
                return gr.skip()
            return {"pictures": [], "error": str(error)}

    def follow(wanted: bool, draft: Draft, asked: str, seed_: float, steps_: float | None,
               before: Any, request: gr.Request) -> Any:  # fmt: skip
        if not wanted or not View(place, words, draft.text).names:
            return gr.skip()
        return draw(draft, asked, seed_, steps_, before, request)

    def poll(now: Measured, draft: Draft, address: str) -> Any:
        later = now.looked(place)
        if later.number is not None:
            return gr.skip(), gr.skip(), gr.skip()
        if later.error:
            gr.Warning(later.error, title="sdmerge")
        return later, View(place, words, draft.text).blocks(address), gr.Timer(active=False)

    def make(draft: Draft, called: str) -> Any:
        job = saving.save_model(place, draft.text, called)
        return draft.was_run(job.number), frame.open_dock()

    def keep_recipe(draft: Draft, called: str) -> Any:
        path = place.save_recipe(called, draft.text)
        gr.Info(words("merge.kept", path=path), title="sdmerge")
        return gr.Dropdown(choices=saving.sources(place))

    def rolled(draft: Draft) -> Draft:
        return draft.edit(roll(draft.text, View(place, words, draft.text)))

    def typed(draft: Draft, written: str) -> Draft:
        documents(written)
        return draft.edit(written)

    shot = [frame.draft, prompts, seed, steps, pictures]
    edited = on(frame.draft.change, curve.change, name.change)
    for event in (ingredients.ready, edited):
        wire(event, show, [frame.draft, curve, name], controls)
    for event in (ingredients.ready, frame.draft.change):
        wire(event, check, [frame.draft], [plan, ingredients, form, output])
    wire(frame.draft.change, follow, [live, *shot], [pictures])
    for one in (ingredients, form, blocks, output):
        wire(one.edit, edit, [frame.draft], [frame.draft], mode="multiple", turn=TURN)
    wire(ingredients.act, act, [frame.draft], [frame.draft, live], mode="multiple", turn=TURN)
    wire(
        blocks.act,
        block,
        [frame.draft],
        [frame.draft, curve, measured, frame.dock, clock],
        turn=TURN,
    )
    wire(clock.tick, poll, [measured, frame.draft, curve], [measured, blocks, clock], queue=False)
    wire(preview.click, draw, shot, [pictures])
    wire(dice.click, rolled, [frame.draft], [frame.draft], turn=TURN)
    wire(save.click, make, [frame.draft, name], [frame.draft, frame.dock], mode="once", turn=TURN)
    wire(keep.click, keep_recipe, [frame.draft, name], [source])
    wire(source.focus, lambda: gr.Dropdown(choices=saving.sources(place)), None, [source])
    wire(source.input, lambda draft, chosen: draft.edit(saving.load(place, chosen)),
         [frame.draft, source], [frame.draft], turn=TURN)  # fmt: skip
    wire(picture.upload, lambda draft, data: draft.edit(saving.from_picture(data)),
         [frame.draft, picture], [frame.draft], turn=TURN)  # fmt: skip
    wire(take.click, typed, [frame.draft, text], [frame.draft], turn=TURN)
    wire(download.click, None, [text, name], None, js=_DOWNLOAD)


_DOWNLOAD = """(text, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  link.download = `${name || "recipe"}.yaml`;
  link.click();
  URL.revokeObjectURL(link.href);
}"""


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


def roll(text: str, view: View) -> str:
    """The recipe with every number of the method thrown by dice, within what its slider shows."""
    for field in view.fields():
        if field["kind"] == "float" and "low" in field:
            value = round(random.uniform(field["low"], field["high"]), 2)
            text = edits.put(text, field["address"], value)
    return text


def tried(place: Place, draft: Draft) -> Draft:
    """The draft with the first recipe of the samples, whose models are among the roots."""
    text = (SAMPLES.parent / "recipes" / "first.yaml").read_text("utf-8")
    data = documents(text)
    names = {entry.name for entry in place.inventory.entries()}
    for stage in data:
        for owner, key in [(stage, "base_model"), *((one, "model") for one in stage["models"])]:
            short = str(owner[key]).partition("/")[2].partition("/")[2]
            owner[key] = short if short in names else str(SAMPLES.parent / str(owner[key]))
    return draft.edit(edits.text_of(data))
