"""Runs: the history. Nothing is lost: what was run can be read, opened, checked and run again."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sdmerge_ui.element import element
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import InputError, again
from sdmerge_ui.runs.cleaning import cleaned, offered
from sdmerge_ui.runs.told import details, listed, signature
from sdmerge_ui.state import Draft
from sdmerge_ui.wire import wire

NAME = "runs"


def build(frame: Frame) -> None:
    """The tab."""
    place, words = frame.place, frame.words
    with gr.Row():
        with gr.Column(scale=6, min_width=520):
            table = element("runs", words, {"runs": []})
        with gr.Column(scale=5, min_width=380):
            card = element("run", words, {"number": 0})
    chosen, seen = gr.State(0), gr.State(())

    def now(number: int, **more: Any) -> dict[str, Any]:
        # what is asked about stays on the page until it is answered
        return {**listed(words, place.jobs.all()), "chosen": number, **more}

    def fresh(number: int) -> Any:
        return now(number), (details(place, words, number) if number else gr.skip())

    def look(number: int, before: Any) -> Any:
        later = signature(place.jobs.all())
        if later == before:
            return gr.skip(), gr.skip(), gr.skip()
        return *fresh(number), later

    def pick(number: int, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        match asked["do"]:
            case "pick":
                number = int(asked["number"])
                return number, now(number), details(place, words, number)
            case "clean":
                return gr.skip(), now(number, clean=offered(place, words)), gr.skip()
            case "remove":
                gone = cleaned(place, words, {int(one) for one in asked["numbers"]})
                return gr.skip(), now(number, clean=gone), fresh(number)[1]
            case _:
                return gr.skip(), now(number, clean=None), gr.skip()

    def act(draft: Draft, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        number = int(asked["number"])
        if asked["do"] == "open":
            text = place.find_recipe(str(number))
            if text is None:
                raise InputError(f"run {number} has no recipe", hint="Choose a merge or a grid.")
            return draft.edit(text), frame.go("merge"), gr.skip()
        match asked["do"]:
            case "again":
                again(place.jobs, number)
            case "retry":
                place.jobs.retry(number)
            case _:
                path = str(details(place, words, number)["verify"])
                if not path:
                    raise InputError(f"run {number} has no model to verify")
                request = place.request("verify", path, *place.flags)
                place.jobs.submit(request, title=f"verify {number}")
        return gr.skip(), gr.skip(), frame.open_dock()

    wire(table.ready, fresh, [chosen], [table, card])
    wire(table.act, pick, [chosen], [chosen, table, card], mode="multiple")
    wire(card.pick, pick, [chosen], [chosen, table, card], mode="multiple")
    wire(card.act, act, [frame.draft], [frame.draft, frame.tabs, frame.dock], turn=TURN)
    wire(frame.pulse.tick, look, [chosen, seen], [table, card, seen], queue=False)
