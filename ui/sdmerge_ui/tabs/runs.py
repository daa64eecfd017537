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


def build(frame: Frame) -> None:  # noqa: PLR0915 - controls, what they do and their wires
    """The tab."""
    place, words = frame.place, frame.words
    with gr.Row():
        with gr.Column(scale=6, min_width=520):
            table = element("runs", words, {"runs": []})
        with gr.Column(scale=5, min_width=380):
            card = element("run", words, {"number": 0})
    chosen, beside, seen = gr.State(0), gr.State(0), gr.State(())

    def now(number: int, **more: Any) -> dict[str, Any]:
        # what is asked about stays on the page until it is answered
        return {**listed(words, place.jobs.all()), "chosen": number, **more}

    def fresh(number: int, other: int, draft: Draft) -> Any:
        told = details(place, words, draft.text, number, other) if number else gr.skip()
        return now(number), told

    def look(number: int, other: int, draft: Draft, before: Any) -> Any:
        later = signature(place.jobs.all())
        if later == before:
            return gr.skip(), gr.skip(), gr.skip()
        return *fresh(number, other, draft), later

    def pick(number: int, other: int, draft: Draft, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        cleaning: dict[str, Any] = {}
        match asked["do"]:
            case "pick":
                number, other = int(asked["number"]), 0
            case "against":
                other = int(asked["other"])
            case "star":
                place.jobs.star(int(asked["number"]), starred=bool(asked["starred"]))
            case "forget":
                place.jobs.forget(int(asked["number"]))
                return 0, 0, now(0), {"number": 0}, ()
            case "clean":
                cleaning = {"clean": offered(place, words)}
            case "remove":
                gone = {int(one) for one in asked["numbers"]}
                cleaning = {"clean": cleaned(place, words, gone)}
            case _:
                cleaning = {"clean": None}
        # a poll may have told newer things meanwhile: the next one tells them again
        return number, other, now(number, **cleaning), fresh(number, other, draft)[1], ()

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
                path = str(details(place, words, draft.text, number)["verify"])
                if not path:
                    raise InputError(f"run {number} has no model to verify")
                request = place.request("verify", path, *place.flags)
                place.jobs.submit(request, title=f"verify {number}")
        return gr.skip(), gr.skip(), frame.open_dock()

    shown = [chosen, beside, frame.draft]
    wire(table.ready, fresh, shown, [table, card])
    for event in (table.act, card.pick):
        wire(event, pick, shown, [chosen, beside, table, card, seen])
    wire(card.act, act, [frame.draft], [frame.draft, frame.tabs, frame.dock], turn=TURN)
    wire(frame.pulse.tick, look, [*shown, seen], [table, card, seen], queue=False)
