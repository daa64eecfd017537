"""Merge: the workbench. Controls edit the draft; what it would do and draw stands beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from sdmerge_ui.element import element
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.measure import Measured
from sdmerge_ui.merge import batch
from sdmerge_ui.merge.command import command
from sdmerge_ui.merge.handlers import Handlers
from sdmerge_ui.merge.preview import probe_prompts
from sdmerge_ui.merge.view import View
from sdmerge_ui.state import EMPTY
from sdmerge_ui.wire import on, wire

NAME = "merge"


def build(frame: Frame) -> None:
    """The tab."""
    handlers = Handlers(frame)
    with gr.Row():
        with gr.Column(scale=7, min_width=420):
            bench = _bench(frame)
        with gr.Column(scale=5, min_width=320):
            plan = element("plan", frame.words, {"empty": frame.words("plan.empty")})
            live = _preview(frame, handlers)
    name, where = _saving(frame, handlers)
    _text(frame, handlers, bench, plan, [name, where])
    batch.build(frame, where)
    _edits(frame, handlers, bench, live)


@dataclass(frozen=True)
class _Bench:
    """What edits the recipe."""

    ingredients: gr.HTML
    form: gr.HTML
    blocks: gr.HTML
    components: gr.HTML
    output: gr.HTML
    curve: gr.State


def _bench(frame: Frame) -> _Bench:
    words, view = frame.words, View(frame.place, frame.words, EMPTY)
    ingredients = element("ingredients", words, view.ingredients(), parts=("models",))
    form = element("form", words, view.form())
    with gr.Accordion(words("merge.blocks"), open=False):
        blocks = element("blocks", words, view.blocks(""))
    with gr.Accordion(words("merge.components"), open=False):
        components = element("form", words, view.components())
    with gr.Accordion(words("merge.output"), open=True):
        output = element("form", words, view.output(), elem_classes=["outputs"])
    return _Bench(ingredients, form, blocks, components, output, gr.State(("", "")))


def _edits(frame: Frame, handlers: Handlers, bench: _Bench, live: gr.Checkbox) -> None:
    draft, measured = frame.draft, gr.State(Measured())
    clock = gr.Timer(1, active=False)
    for one in (bench.ingredients, bench.form, bench.blocks, bench.components, bench.output):
        wire(one.edit, handlers.edit, [draft], [draft], turn=TURN)
    wire(bench.ingredients.act, handlers.act, [draft], [draft, live], turn=TURN)
    changed = [draft, bench.curve, measured, frame.dock, clock]
    wire(bench.blocks.act, handlers.block, [draft], changed, turn=TURN)
    looked = [measured, bench.blocks, clock]
    wire(clock.tick, handlers.poll, [measured, draft, bench.curve], looked, queue=False)


def _preview(frame: Frame, handlers: Handlers) -> gr.Checkbox:
    """Pictures and what is drawn; the box that makes them follow every change."""
    words = frame.words
    pictures = element("pictures", words, {"pictures": []})
    prompts = gr.Textbox(
        probe_prompts(frame.place), label=words("merge.prompts"), lines=3, elem_id="sd-prompts"
    )
    with gr.Row():
        seed = gr.Number(7, label=words("merge.preview_seed"), precision=0, minimum=0, min_width=90)
        steps = gr.Number(0, label=words("merge.steps"), precision=0, minimum=0, min_width=90)
        live = gr.Checkbox(False, label=words("merge.live"), min_width=120)
    with gr.Row(elem_classes=["lower"]):
        go = gr.Button(words("merge.preview"), variant="primary", elem_id="sd-preview")
        dice = gr.Button(words("merge.dice"), elem_id="sd-dice")
        thrown = gr.Number(
            0, label=words("merge.dice_seed"), precision=0, minimum=0, min_width=90,
            elem_id="sd-dice-seed",
        )  # fmt: skip
        last = gr.State(0)
    asked = [frame.draft, prompts, seed, steps, pictures]
    wire(go.click, handlers.draw, asked, [pictures])
    wire(frame.draft.change, handlers.follow, [live, *asked], [pictures])
    dicing = [frame.draft, thrown, last]
    wire(dice.click, handlers.roll, dicing, dicing, turn=TURN)
    return live


def _saving(frame: Frame, handlers: Handlers) -> tuple[gr.Textbox, gr.Dropdown]:
    """The row that saves and loads; the box with the name, and that with the place."""
    words, draft = frame.words, frame.draft
    with gr.Row(elem_classes=["lower"]):
        name = gr.Textbox(
            label=words("merge.name"), placeholder="anime-photo", scale=3, max_lines=1,
            elem_id="sd-name",
        )  # fmt: skip
        hosts = [host.name for host in frame.place.shown.writable]
        where = gr.Dropdown(
            [(words("merge.own_models"), ""), *((one, one) for one in hosts)], value="",
            label=words("merge.where"), visible=bool(hosts), scale=2, elem_id="sd-where",
        )  # fmt: skip
        save = gr.Button(
            words("merge.save_model"), variant="primary", elem_id="sd-save-model", scale=2
        )
        keep = gr.Button(words("merge.save_recipe"), elem_id="sd-save-recipe", scale=2)
        source = gr.Dropdown([], label=words("merge.load"), scale=4, elem_id="sd-load")
        picture = gr.UploadButton(
            words("merge.from_picture"), file_types=[".png", ".webp"], type="binary", scale=2
        )
    made = [draft, frame.dock]
    wire(save.click, handlers.save_model, [draft, name, where], made, mode="once", turn=TURN)
    wire(keep.click, handlers.save_recipe, [draft, name], [source])
    wire(source.focus, handlers.sources, None, [source])
    wire(source.input, handlers.load, [draft, source], [draft], turn=TURN)
    wire(picture.upload, handlers.load_picture, [draft, picture], [draft], turn=TURN)
    return name, where


def _text(frame: Frame, handlers: Handlers, bench: _Bench, plan: gr.HTML, saved: list[Any]) -> None:
    """The recipe as a command and as text; and what everything shows after an edit."""
    words, draft = frame.words, frame.draft
    line = element("command", words, command(frame.place, EMPTY, ""))
    with gr.Accordion(words("merge.yaml"), open=False):
        text = gr.Textbox(
            EMPTY, label=words("merge.yaml_label"), lines=12, elem_id="sd-yaml",
            elem_classes=["code"], buttons=["copy"],
        )  # fmt: skip
        with gr.Row():
            take = gr.Button(words("merge.take_yaml"))
            download = gr.Button(words("merge.download"))
    parts = [bench.form, bench.blocks, bench.components, bench.output]
    shown = [bench.ingredients, *parts, line, text]
    edited = on(draft.change, bench.curve.change, *(one.change for one in saved))

    def first(*now: Any) -> Any:
        return handlers.show(*now)[:-1]  # somebody may be writing the text already

    wire(edited, handlers.show, [draft, bench.curve, *saved], shown)
    wire(bench.ingredients.ready, first, [draft, bench.curve, *saved], shown[:-1])
    for event in (bench.ingredients.ready, draft.change):
        wire(event, handlers.check, [draft], [plan])
    wire(take.click, handlers.take, [draft, text], [draft], turn=TURN)
    wire(download.click, None, [text, saved[0]], None, js=_DOWNLOAD)


_DOWNLOAD = """(text, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  link.download = `${name || "recipe"}.yaml`;
  link.click();
  URL.revokeObjectURL(link.href);
}"""
