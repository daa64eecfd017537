"""App: the page, put together."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sdmerge_ui import api, bar, dock, usage
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import SdmergeError
from sdmerge_ui.place import Place
from sdmerge_ui.state import Draft
from sdmerge_ui.tabs import TABS
from sdmerge_ui.texts import Words
from sdmerge_ui.wire import AT_ONCE, wire

_STORED = "sdmerge-draft"


def build(place: Place, language: str) -> gr.Blocks:
    """The page in a language."""
    words = Words(language)
    with gr.Blocks(title="sdmerge", analytics_enabled=False, fill_width=True) as page:
        draft = gr.State(Draft())
        stored = gr.BrowserState("", storage_key=_STORED, secret=_STORED)
        pulse = gr.Timer(1)
        with gr.Row(elem_id="sd-top"):
            top, full = bar.empty(words, place), usage.empty(words)
        side = gr.Sidebar(position="right", open=False, width=300, elem_id="sd-dock")
        with gr.Tabs(elem_id="sd-tabs") as tabs:
            frame = Frame(place, words, draft, tabs, side, pulse, page.load)
            for tab in TABS:
                with gr.Tab(words(f"tab.{tab.NAME}"), id=tab.NAME) as one:
                    tab.build(frame)
                wire(one.select, None, js=f"() => window.sdmergeTab('{tab.NAME}')")
        with side:
            dock.build(frame)
        bar.build(top, frame)
        usage.build(full, frame)
        _restore(frame, stored)
        api.expose(place)
    page.queue(default_concurrency_limit=AT_ONCE)
    return page


def _restore(frame: Frame, stored: gr.BrowserState) -> None:
    """A page begins with what its address names, else with what its browser kept."""
    known = [tab.NAME for tab in TABS]

    def begin(kept: str, draft: Draft, request: gr.Request) -> Any:
        if draft.past:  # somebody was faster than the page
            return gr.skip(), gr.skip()
        asked: dict[str, str] = dict(request.query_params)
        tab = asked.get("tab", "")
        shown = frame.go(tab) if tab in known else gr.skip()
        text = None
        if name := asked.get("recipe", ""):
            try:
                text = frame.place.find_recipe(name)
            except SdmergeError:
                text = None
            if text is None:
                gr.Warning(frame.words("app.no_recipe", name=name), title="sdmerge")
        return draft.edit(text or kept or draft.text), shown

    wire(frame.load, begin, [stored, frame.draft], [frame.draft, frame.tabs], turn=TURN)
    wire(frame.draft.change, lambda draft: draft.text, [frame.draft], [stored])
