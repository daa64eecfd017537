"""Compare: grids are drawn of the draft, looked at as they grow, scored, and voted on."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sdmerge_ui.compare import axes, more
from sdmerge_ui.compare.shown import Shelf, exported, ranking, recipe_of, scored, shown
from sdmerge_ui.element import element
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import InputError, RecipeError, SdmergeError
from sdmerge_ui.merge.preview import probe_prompts
from sdmerge_ui.state import Draft
from sdmerge_ui.wire import wire

NAME = "compare"
_EMPTY: dict[str, Any] = {"grids": [], "grid": "", "scorers": []}


def build(frame: Frame) -> None:  # noqa: PLR0915 - controls, what they do and their wires
    """The tab."""
    place, words = frame.place, frame.words
    shelf = Shelf(place)
    with gr.Accordion(words("axes.title"), open=False, elem_id="sd-new-grid") as fold:
        form = element("axes", words, {"choices": [], "models": []})
    viewer = element("viewer", words, _EMPTY)
    standings = element("ranking", words, {"rows": []})
    chosen, by, seen = gr.State(""), gr.State(""), gr.State(({}, {}))

    def fill(draft: Draft) -> Any:
        try:
            found = axes.fields(place, words, draft.text)
        except (RecipeError, InputError):
            return gr.skip()
        return {**found, "prompts": probe_prompts(place)}

    def ask(draft: Draft, before: dict[str, Any], event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        stay = (gr.skip(), gr.skip(), gr.skip())
        try:
            wanted = axes.read_wanted(asked["grid"])
            if asked["do"] == "count":
                told = axes.extent(place, words, draft.text, wanted)
                return {**before, "told": told, "error": ""}, *stay
            job = axes.submit(place, words, draft.text, wanted)
        except SdmergeError as error:
            return {**before, "told": "", "error": str(error)}, *stay
        return (
            {**before, "told": words("axes.sent", number=job.number), "error": ""},
            wanted.into or f"runs~{job.run.name}~grid", frame.open_dock(),
            draft.was_run(job.number),
        )  # fmt: skip

    def state(name: str, axis: str) -> tuple[Any, Any]:
        found = shown(place, words, shelf, name)
        return found, ranking(place, words, found["grid"], axis)

    def look(name: str, axis: str, before: tuple[Any, Any]) -> Any:
        if (now := state(name, axis)) == before:
            return gr.skip(), gr.skip(), gr.skip()
        changed = [gr.skip() if new == old else new for new, old in zip(now, before, strict=True)]
        return *changed, now

    def fresh(name: str, axis: str) -> Any:
        return *(now := state(name, axis)), now

    def act(name: str, draft: Draft, before: dict[str, Any], event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        given = str(asked.get("grid") or name)
        stay = (gr.skip(), gr.skip(), gr.skip(), gr.skip())
        match asked["do"]:
            case "choose":
                return given, gr.skip(), *stay
            case "new":
                return gr.skip(), gr.Accordion(open=True), *stay
            case "open":
                text = recipe_of(place, given, str(asked["cell"]))
                return gr.skip(), gr.skip(), draft.edit(text), frame.go("merge"), *stay[:2]
            case "more":
                text, wanted = more.asked_of(place, given)
                changed = draft.edit(text) if text else draft
                filled = {**before, **axes.fields(place, words, changed.text),
                          "wanted": wanted, "told": "", "error": ""}  # fmt: skip
                return given, gr.Accordion(open=True), changed, gr.skip(), gr.skip(), filled
            case "score":
                scored(place, given, str(asked["scorer"]))
            case _:
                exported(place, given, str(asked["how"]))
        return *stay, frame.open_dock(), gr.skip()

    for event in (form.ready, frame.draft.change):
        wire(event, fill, [frame.draft], [form])
    wire(form.act, ask, [frame.draft, form], [form, chosen, frame.dock, frame.draft], turn=TURN)
    wire(frame.load, _grid_asked, None, [chosen])
    wire(viewer.ready, fresh, [chosen, by], [viewer, standings, seen])
    wire(standings.ready, fresh, [chosen, by], [viewer, standings, seen])
    wire(frame.pulse.tick, look, [chosen, by, seen], [viewer, standings, seen], queue=False)
    said = [chosen, fold, frame.draft, frame.tabs, frame.dock, form]
    wire(viewer.act, act, [chosen, frame.draft, form], said, turn=TURN)
    wire(standings.act, _axis_asked, None, [by])


def _axis_asked(event: gr.EventData) -> str:
    return str(event._data["by"])


def _grid_asked(request: gr.Request) -> str:
    """The grid that the page's address names."""
    return str(dict(request.query_params).get("grid", ""))
